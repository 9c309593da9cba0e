"""Turns a page of HTML into text that a model can read: headings, lists, links; no scripts, menus or styles.

Owns that text. It takes time in proportion to the page, whatever stands in it, because anybody may have written it: the
standard library's parser takes hours for some pages of a megabyte.
"""

import html
import re
from urllib.parse import urljoin, urlsplit

__all__ = ["readable"]

_NAME = re.compile(r"(/?)([a-zA-Z][^\s/>]*)")
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_MAX_HREF = 500
_MAX_TAGS = 100_000  # about a second; no page that people read needs so many

# Their content is text of its own kind, which ends at the closing tag alone.
_RAW = frozenset(("script", "style", "noscript", "template", "svg", "iframe", "object", "textarea", "title", "math"))
_ASIDE = frozenset(("nav", "footer", "select", "button"))  # what stands around a page's text
_PARAGRAPHS = frozenset((
    "address", "article", "aside", "blockquote", "body", "details", "div", "dl", "fieldset", "figcaption", "figure",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "ol", "p", "pre", "section", "summary", "table",
    "ul",
))  # fmt: skip
_LINES = frozenset(("br", "li", "tr", "dt", "dd", "option", "caption"))
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}


def readable(page: str, url: str, *, most: int) -> tuple[str, str]:
    """Return the title and the text of a page found at `url`; reading ends when there are `most` characters of text."""
    reader = _Reader(url)
    reader.read(page, most)
    return reader.title, reader.text()


class _Reader:
    """One pass over a page."""

    def __init__(self, url: str) -> None:
        self.title = ""
        self._url = url
        self._parts: list[str] = []
        self._size = 0
        self._links: list[str] = []
        self._preformatted = 0
        self._unclosed: set[str] = set()

    def read(self, page: str, most: int) -> None:
        """Go from tag to tag. Every search either ends the reading or moves it to where the search ended."""
        at = 0
        for _ in range(_MAX_TAGS):
            if self._size >= most:
                return
            start = page.find("<", at)
            if start < 0:
                self._say(page[at:])
                return
            self._say(page[at:start])
            if page.startswith("<!--", start):
                end, length = page.find("-->", start + 4), 3
            elif page.startswith(("<!", "<?", "</"), start) or _NAME.match(page, start + 1):
                end, length = page.find(">", start), 1
            else:
                self._say("<")
                end, length = start, 1
            if end < 0:
                return
            at = end + length
            if length == 1 and end > start and (tag := _NAME.match(page, start + 1)) is not None:
                at = self._tag(page, tag[2].lower(), page[tag.end() : end], at, closes=bool(tag[1]))

    def text(self) -> str:
        """Return what was said, with at most one empty line between paragraphs."""
        lines = (line.rstrip() for line in "".join(self._parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _tag(self, page: str, name: str, attributes: str, after: int, *, closes: bool) -> int:
        """Say what the tag means, and return where to go on."""
        if not closes and (name in _RAW or name in _ASIDE):
            return self._skip(page, name, after)
        if name in _PARAGRAPHS:
            self._break(2)
        elif name in _LINES:
            self._break(1)
        elif name in {"td", "th"} and not closes:
            self._put(" | ")
        if name == "pre":
            self._preformatted = max(0, self._preformatted + (-1 if closes else 1))
        elif name == "a":
            self._anchor(attributes, closes=closes)
        elif not closes:
            self._put(_HEADINGS.get(name, "- " if name == "li" else ""))
        return after

    def _skip(self, page: str, name: str, after: int) -> int:
        if name in self._unclosed:
            return after
        end = re.compile(f"</{name}", re.IGNORECASE).search(page, after)
        if end is None:
            self._unclosed.add(name)  # looked for once: a page may open it a million times
            return after if name in _ASIDE else len(page)
        if name == "title" and not self.title:
            self.title = _SPACES.sub(" ", _unescaped(page[after : min(end.start(), after + 1000)])).strip()[:300]
        return end.start()

    def _anchor(self, attributes: str, *, closes: bool) -> None:
        if closes:
            if self._links and (link := self._links.pop()):
                if self._parts[-1] == "[":  # around a picture
                    self._parts.pop()
                else:
                    self._put(f"]({link})")
            return
        found = _HREF.search(f" {attributes}"[: 4 * _MAX_HREF])
        link = self._absolute(_unescaped(found[1] or found[2] or found[3] or "")) if found else ""
        if len(self._links) < 10:  # links do not stand in each other
            self._links.append(link)
            self._put("[" if link else "")

    def _absolute(self, href: str) -> str:
        if not href or href.startswith("#") or len(href) > _MAX_HREF:
            return ""
        try:
            link = urljoin(self._url, href.strip())
            return link if urlsplit(link).scheme in {"http", "https"} and not _SPACES.search(link) else ""
        except ValueError:
            return ""

    def _say(self, text: str) -> None:
        said = _unescaped(text)
        if not self._preformatted:
            said = _SPACES.sub(" ", said)
            if not self._parts or self._parts[-1][-1].isspace():
                said = said.lstrip()
        self._put(said)

    def _break(self, lines: int) -> None:
        if not (self._parts and self._parts[-1].endswith("\n" * lines)):
            self._put("\n" * lines)

    def _put(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._size += len(text)


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of more digits than Python reads
        return text
