"""A script: HTML on standard input, its text on standard output, with headings as Markdown writes them.

Owns what of a page is text: no scripts, no styles, nothing of the head.
"""

import re
import sys
from html.parser import HTMLParser

__all__ = ["text_of"]

_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_NO_TEXT = {"head", "script", "style", "template", "noscript", "svg", "object", "iframe", "select"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset", "figure",
    "figcaption", "footer", "form", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "summary", "table",
    "ul", *_HEADINGS,
}  # fmt: skip
_LINES = {"br", "li", "tr"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden: list[str] = []  # the open elements without text, the outermost first
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._hidden.clear()  # a head that nobody closed ends here
        elif self._hidden or tag in _NO_TEXT:
            if tag in _NO_TEXT:
                self._hidden.append(tag)
            return
        self._break(tag)
        self._preformatted += tag == "pre"
        if tag in _HEADINGS:
            self._parts.append(f"{_HEADINGS[tag]} ")
        elif tag == "li":
            self._parts.append("- ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._hidden:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                del self._hidden[self._hidden.index(tag) :]
            return
        if tag in {"td", "th"}:
            self._parts.append(" | ")
        elif tag in _BLOCKS:
            self._parts.append("\n\n")
        self._preformatted -= tag == "pre" and self._preformatted > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._parts.append(data if self._preformatted else re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._parts.append("\n\n")
        elif tag in _LINES:
            self._parts.append("\n")

    def text(self) -> str:
        """Return what was read, without the white space that only laid out the source."""
        lines = [line.rstrip() for line in "".join(self._parts).replace("\0", "").split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line if line.strip() else "" for line in lines)).strip()


def text_of(page: str) -> str:
    """Return the text of a page."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    return parser.text()


def main() -> None:
    """Read, write, or end with status 3 and the reason."""
    try:
        page = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        sys.stderr.write("it is not UTF-8")
        sys.exit(3)
    sys.stdout.buffer.write(text_of(page).encode(errors="replace"))


if __name__ == "__main__":
    main()
