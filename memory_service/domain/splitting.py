"""How a document's text is cut into passages: at headings, then at paragraphs, sentences and words.

Owns the lengths. A passage is a slice of the text as it stands, about as long as the offline model reads at once, and
begins with the last sentence or words of the one before, so that nothing is lost where it was cut. Pure functions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

__all__ = ["Slice", "split"]

# In UTF-8 bytes, of which every script has about as many to a token.
_MOST = 900
_LEAST = 100  # of a section that is a passage of its own, in characters
_OVERLAP = 130

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_HEADING_CHARACTERS = 120  # of one heading; what is longer is a paragraph by mistake

# Where a text may be cut, the best first.
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s|(?<=[\u3002\uff01\uff1f])")  # and as Chinese and Japanese write it
_LINE = re.compile(r"\n")
_WORD = re.compile(r"\s")
_CUTS = (_PARAGRAPH, _SENTENCE, _LINE, _WORD)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a text, from `start` to before `end` in characters, and the headings it stands under."""

    start: int
    end: int
    headings: tuple[str, ...] = ()


def split(text: str, *, markdown: bool) -> list[Slice]:
    """Return the passages of a text in order; none if it holds nothing but white space."""
    sections = _joined(_sections(text)) if markdown else iter([Slice(0, len(text))])
    return [piece for section in sections for piece in _pieces(text, section)]


def _sections(text: str) -> Iterator[Slice]:
    """Yield the parts of a Markdown text from one heading to the next, the heading included."""
    path: list[tuple[int, str]] = []
    start = position = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        if (found := _FENCE.match(line)) and fence in ("", found[1]):
            fence = "" if fence else found[1]
        elif not fence and (heading := _HEADING.match(line)):
            if position > start:
                yield Slice(start, position, tuple(title for _, title in path))
            start, level = position, len(heading[1])
            title = heading[2].rstrip().rstrip("#").rstrip()
            path = [*(above for above in path if above[0] < level), (level, title[:_HEADING_CHARACTERS])]
        position += len(line)
    yield Slice(start, position, tuple(title for _, title in path))


def _joined(sections: Iterator[Slice]) -> Iterator[Slice]:
    """Yield the sections; short ones together, and a short one with the section beneath it."""
    held: Slice | None = None
    for section in sections:
        if held is None:
            held = section
        elif _is_short(held) and section.headings[: len(held.headings)] == held.headings:
            held = Slice(held.start, section.end, section.headings)
        elif _is_short(held) and _is_short(section):
            held = Slice(held.start, section.end, _shared(held.headings, section.headings))
        else:
            yield held
            held = section
    if held is not None:
        yield held


def _is_short(section: Slice) -> bool:
    return section.end - section.start < _LEAST


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _pieces(text: str, section: Slice) -> Iterator[Slice]:
    start = section.start
    while start < section.end:
        stop = _cut(text, start, section.end)
        piece = text[start:stop]
        if kept := piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            yield Slice(begin, begin + len(kept), section.headings)
        start = stop if stop == section.end else _back(text, start, stop)


def _cut(text: str, start: int, end: int) -> int:
    """Return where a passage that begins at `start` ends: at the best place in the second half of what it may hold."""
    most = start + len(text[start : min(end, start + _MOST)].encode()[:_MOST].decode(errors="ignore"))
    if most >= end:
        return end
    half = (start + most) // 2
    for cut in _CUTS:
        places = [found.end() for found in cut.finditer(text, half, most)]
        if places:
            return places[-1]
    return most


def _back(text: str, start: int, stop: int) -> int:
    """Return where the passage after one from `start` to `stop` begins: at a sentence or word shortly before `stop`."""
    overlap = len(text[start:stop].encode()[-_OVERLAP:].decode(errors="ignore"))
    for cut in (_SENTENCE, _WORD):
        if (found := cut.search(text, stop - overlap, stop)) and found.end() < stop:
            return found.end()
    return stop
