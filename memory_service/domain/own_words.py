"""Which parts of a text are the writer's own words, and which are quoted, pasted or code. Pure.

Owns that line. It errs on one side: what may be somebody else's is somebody else's, for a fact that is missed may be
told again, and one that nobody said is believed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = (
    "MAX_CHARACTERS", "Span", "foreign_parts", "own_words", "sentence_around", "sentences", "straight", "words",
)  # fmt: skip

MAX_CHARACTERS = 20_000
"""How much of a text is read: what is longer is a document, not talk."""


@dataclass(frozen=True, slots=True)
class Span:
    """The characters of a text from `start` to before `end`."""

    start: int
    end: int

    def meets(self, other: "Span") -> bool:
        """Tell whether they have a character in common."""
        return self.start < other.end and other.start < self.end


_FIRST_PERSON = re.compile(r"\b(?:i|i'\w+|im|me|my|mine|we|our|us)\b", re.IGNORECASE)

# Each of these is foreign from its start to its end.
_WHOLE = (
    re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL),
    re.compile(r"```.*?(?:```|\Z)", re.DOTALL),
    re.compile(r"`[^`\n]+`"),
    re.compile(r"^[ \t]*>.*$", re.MULTILINE),
    re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE),
    re.compile(r"<([a-z_][\w:-]*)\b[^<>\n]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL),
    re.compile(r"\{[^{}]{0,400}[\"'][^{}]{0,400}:[^{}]*(?:\}|\Z)"),
    re.compile(r"\[[^\]\n]{0,20}(?:tool|result|memory|recall|system|document|assistant)[^\]]*\]", re.IGNORECASE),
    re.compile(r"(?<![\w'])'(?=\S)(?:[^'\n]|(?<=\w)'(?=\w)){8,500}'(?!\w)"),
)

# What stands in quotation marks, unless it is short and speaks for nobody: a title or a nickname.
_QUOTED = re.compile(
    r"(?<!\w)[\"\u201e\u00ab\u201c][^\"\u201c\u201d\u201e\u00ab\u00bb]{1,4000}?(?:[\"\u201c\u201d\u00bb]|\n\s*\n|\Z)"
)
_TITLE_WORDS = 6

# From the end of each of these to the end of the text.
_PASTED = (
    re.compile(
        r"\b(?:translate|summari[sz]e|proofread|rewrite|rephrase|paraphrase|correct|edit|review|fix|improve|shorten"
        r"|analy[sz]e|format|continue|complete|spell-?check|classify|write|draft|compose|reply|respond|answer|check"
        r"|comment|react)\s[^.\n:!?]{2,80}:",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:here(?:'s| is| are| was)|this is|these are|below|following|got|received|found|read|past(?:e|ed|ing)"
        r"|attached|from|saw)\b[^.\n:!?]{0,60}\b(?:e?-?mails?|messages?|article|text|document|page|output|log|letter"
        r"|story|poem|transcript|review|resume|cv|bio|profile|description|paragraph|post|tweet|notes?|excerpt|passage"
        r"|conversation|chat|results?|quote|lyrics|essay|draft|site|memory|memories|context|listing|comment|form|said"
        r"|says|wrote|returned|answered|sentences?|lines?|phrase)\b[^.\n:!?]{0,40}:",
        re.IGNORECASE,
    ),
    # A line that announces something, and not of the writer.
    re.compile(
        r"^(?!.*\b(?:i|i'\w+|me|my|mine|we|our|hi|hello|hey|dear)\b)[^\n]{3,200}:[ \t]*\n", re.MULTILINE | re.IGNORECASE
    ),
    re.compile(
        r"^(?:On .{5,80} wrote:|-{2,} ?(?:Original|Forwarded) message ?-{2,}|From: .*@.*|Begin forwarded message:)",
        re.MULTILINE | re.IGNORECASE,
    ),
)

# From the end of each of these to the next empty line.
_INTRODUCED = (
    re.compile(
        r"\b(?:said|says|wrote|writes|replied|replies|answered|asked|told (?:me|us|him|her|them)|posted|tweeted|texted"
        r"|claims|claimed|states|stated|reads|goes|asks|offers|returned|printed|showed|displayed"
        r"|responded)\b[^.\n:!?]{0,30}:",
        re.IGNORECASE,
    ),
    re.compile(
        r"^[ \t#*\-\[]*(?:recalled|recall|memor(?:y|ies)|known facts|facts about|notes? recalled"
        r"|what (?:i|we|you) know|profile|user profile|context|system(?: prompt)?|tool|observation|search results?"
        r"|documents?|sources?)\b"
        r"[^:\n]{0,40}:",
        re.MULTILINE | re.IGNORECASE,
    ),
)

# `Bob: I live in Rome`, with a time before it or not. Labels that people put before their own words are no speakers.
_LABEL = re.compile(
    r"^[ \t*\-]*(?:[\[(][^\])\n]{1,40}[\])][ \t]*|\d{1,2}:\d{2}(?::\d{2})?[ \t]*(?:[ap]m)?[ \t]*[-\u2013]?[ \t]*)?"
    r"(?P<label>[^\W\d_][\w.'\- ]{0,30}?)[ \t*]*:[ \t*].*$",
    re.MULTILINE | re.IGNORECASE,
)
_OWN_LABELS = frozenset({
    "note", "notes", "ps", "p.s", "p.s.", "update", "edit", "correction", "fyi", "btw", "also", "background",
    "reminder", "tldr", "tl;dr", "ok", "okay", "so", "well", "yes", "no", "hi", "hello", "question", "answer",
    "fact", "remember", "important", "sorry", "actually", "anyway", "hint", "one", "two", "first", "second",
})  # fmt: skip
_ROLES = frozenset({
    "user", "human", "me", "assistant", "agent", "ai", "bot", "system", "tool", "model", "customer", "client",
    "them", "him", "her",
})  # fmt: skip
_HEADING = re.compile(r"^#{1,6} \S.*$", re.MULTILINE)
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")

_ABBREVIATION = re.compile(r"(?:^|\W)(?:mr|mrs|ms|dr|st|prof|e\.g|i\.e|vs|no|inc|ltd)\.$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?\u2026]+[\"'\u201d)\]]*(?=\s|$)|\n+")
_APOSTROPHES = {0x2018: "'", 0x2019: "'", 0x02BC: "'"}
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def straight(text: str) -> str:
    """Return the text, character for character, with the typewriter's apostrophe in place of the printer's."""
    return text.translate(_APOSTROPHES)


def words(text: str) -> list[str]:
    """Return the words in lower case."""
    return _WORD.findall(text.casefold())


def sentences(text: str) -> Iterator[Span]:
    """Yield the sentences; a line break ends one too."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if end[0] == "." and _ABBREVIATION.search(text, max(start, end.start() - 6), end.end()):
            continue
        if text[start : end.end()].strip():
            yield Span(start, end.end())
        start = end.end()
    if text[start:].strip():
        yield Span(start, len(text))


def sentence_around(text: str, part: Span) -> Span:
    """Return the sentence that a part stands in, or the sentences if it spans several."""
    met = [sentence for sentence in sentences(text) if sentence.meets(part)]
    return Span(met[0].start, met[-1].end) if met else part


def foreign_parts(text: str) -> list[Span]:
    """Return the parts that are not the writer's own words."""
    found = [Span(*match.span()) for shape in _WHOLE for match in shape.finditer(text)]
    found += [Span(*match.span()) for match in _QUOTED.finditer(text) if not _is_title(match[0])]
    found += [Span(match.end(), len(text)) for shape in _PASTED if (match := shape.search(text))]
    found += [
        Span(match.end(), _paragraph_end(text, match.end())) for shape in _INTRODUCED for match in shape.finditer(text)
    ]
    found += [Span(*match.span()) for match in _LABEL.finditer(text) if _is_speaker(match["label"])]
    headings = list(_HEADING.finditer(text))
    if len(headings) > 1:  # nobody talks in chapters
        found.append(Span(headings[0].start(), len(text)))
    return found


def own_words(text: str, foreign: Iterable[Span]) -> str:
    """Return the text with spaces in place of the foreign parts."""
    own = list(text)
    for part in foreign:
        own[part.start : part.end] = " " * (part.end - part.start)
    return "".join(own)


def _is_title(quoted: str) -> bool:
    return len(words(quoted)) <= _TITLE_WORDS and _FIRST_PERSON.search(quoted) is None


def _is_speaker(label: str) -> bool:
    names = label.split()
    if label.casefold() in _OWN_LABELS or label.endswith("ly") or len(names) > 3:
        return False
    return all(name[0].isupper() for name in names) or names[0].casefold() in _ROLES


def _paragraph_end(text: str, start: int) -> int:
    # A block that is introduced on a line of its own begins on the next one.
    begins = next((at for at in range(start, len(text)) if not text[at].isspace()), len(text))
    end = _PARAGRAPH_END.search(text, begins)
    return end.start() if end else len(text)
