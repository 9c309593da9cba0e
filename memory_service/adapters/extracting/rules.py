"""`builtin/rules`: facts by patterns of English, which stand in `english.txt`. No language model, no network.

It finds what is said in common ways and misses the rest; it guesses at nothing. Whether what it found was meant is not
its question: `domain.gating` asks it.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from memory_service.domain.extraction import Candidate, Surroundings
from memory_service.domain.keys import RELATIVES
from memory_service.domain.model import FactCategory, Interaction
from memory_service.domain.own_words import MAX_CHARACTERS, sentences, straight

__all__ = ["RuleExtractor"]

_IMPORTANCE = 0.5  # what the gate does not know better
_WHOLE = frozenset({"likes", "allergy"})
"""Keys whose value is told with its verb: to love something is not to hate it."""
_I = re.compile(r"^i(?:'(?:m|ve))? (?:am |have )?", re.IGNORECASE)
_PIECE = re.compile(r"\{([A-Z]+)\}")

# "It is Paris, not Lyon": what it is about is told by what memory has.
_CORRECTION = re.compile(
    r"\b(?:it'?s|it is|that's|that is) (?:actually |now )?(?P<value>[^,.;:!?()\n]{1,60}?),? (?:and )?"
    r"not (?P<old>[^,.;:!?()\n]{1,60}?)(?=\s*(?:[,.;:!?()\n]|$|\b(?:any ?more|as)\b))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Rule:
    key: str
    shape: re.Pattern[str]


def _read(text: str) -> list[_Rule]:
    pieces = {"RELATIVE": "|".join(sorted(RELATIVES, key=len, reverse=True))}
    rules = []
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if not name or name == "#":
            continue
        shape = _PIECE.sub(lambda piece: pieces[piece[1]], rest.removeprefix("= "))
        if rest.startswith("= "):
            pieces[name] = shape
        else:
            rules.append(_Rule(name, re.compile(rf"\b{shape}", re.IGNORECASE)))
    return rules


_RULES = _read(files("memory_service.adapters.extracting").joinpath("english.txt").read_text())


class RuleExtractor:
    """An `Extractor` of patterns."""

    name = "builtin/rules"

    async def extract(self, turn: Interaction, around: Surroundings) -> Sequence[Candidate]:
        """Return what the patterns find, in the order of the text."""
        return await asyncio.to_thread(_extract, turn, around)

    async def close(self) -> None:
        """Hold nothing."""


def _extract(turn: Interaction, around: Surroundings) -> list[Candidate]:
    text = straight(turn.input[:MAX_CHARACTERS])
    found: dict[tuple[int, str], Candidate] = {}
    for span in sentences(text):
        sentence = text[span.start : span.end]
        for match, key, value in (*_by_rules(sentence), *_by_correction(sentence, around)):
            quote = turn.input[span.start + match.start() : span.start + match.end()]
            candidate = Candidate(key, value.strip(), FactCategory.KNOWLEDGE, _IMPORTANCE, quote.strip())
            found.setdefault((span.start + match.start(), key), candidate)
    return [found[place] for place in sorted(found)]


def _by_rules(sentence: str) -> Iterator[tuple[re.Match[str], str, str]]:
    for rule in _RULES:
        for match in rule.shape.finditer(sentence):
            named = match.groupdict()
            key = named["who"].casefold() if rule.key == "who" else rule.key
            if key.endswith("_"):
                key += named["who"]
            yield match, key, _I.sub("", match[0]) if key in _WHOLE else named["value"]


def _by_correction(sentence: str, around: Surroundings) -> Iterator[tuple[re.Match[str], str, str]]:
    for match in _CORRECTION.finditer(sentence):
        for key, fact in around.known.items():
            if fact.value.casefold() == match["old"].strip().casefold():
                yield match, key, match["value"]
