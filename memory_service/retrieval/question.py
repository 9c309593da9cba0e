"""What a question says beside its words: whom and which date it names, and which of its tokens count.

Owns a few English signs. Each is weak and only shifts a ranking; in another language they stay off.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval import lexicon

__all__ = ["Question", "date_matches", "named", "token_weights", "without_names"]

Floats = NDArray[np.float32]

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_ANY = "|".join(_MONTHS)
# "may" is a verb more often than a month: it counts beside a number or after a preposition.
_MONTH = re.compile(
    rf"\b({_ANY.replace('may|', '')})\b|\b(?:in|of|during|since|\d+) (may)\b|\b(may),? \d", re.IGNORECASE
)
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_DAY = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?:{_ANY})\b|\b(?:{_ANY}) (\d{{1,2}})\b", re.IGNORECASE)

# What a token counts that has no rarity: [CLS] and [SEP] stand for the whole question, a stop word for its grammar.
_SPECIAL, _STOP_WORD = 0.15, 0.12


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by one who knows the speakers."""

    text: str
    terms: Sequence[int]
    """The hashes of its terms, each once."""
    bare: str
    """The text without the names of speakers: who spoke is compared by itself."""
    bare_terms: Sequence[int]
    named: frozenset[str]
    """The speakers whom it names."""

    @classmethod
    def of(cls, text: str, speakers: Collection[str]) -> "Question":
        """Read a question."""
        bare = without_names(text, speakers)
        return cls(text, _hashes(text), bare, _hashes(bare), frozenset(named(text, speakers)))


def named(question: str, speakers: Collection[str]) -> list[str]:
    """Return those of the speakers whose name, or a word of it, the question says."""
    asked = set(lexicon.terms(question))
    return [speaker for speaker in speakers if asked & set(lexicon.terms(speaker))]


def without_names(question: str, speakers: Collection[str]) -> str:
    """Return the question without the words of the speakers' names, which would drown the rest of a short vector.

    A question that is nothing but names is returned as it is.
    """
    words = {word for speaker in speakers for word in re.findall(r"\w+", speaker)}
    if not words:
        return question
    names = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    bare = " ".join(re.sub(rf"\b(?:{names})\b(?:['\u2019]s)?", "", question, flags=re.IGNORECASE).split())
    return bare if re.search(r"\w", bare) else question


def date_matches(question: str, times: NDArray[np.datetime64]) -> Floats:
    """Return how well each time fits the date that the question names: the share of its month, year and day.

    All zeros when it names none.
    """
    months = {_MONTHS.index("".join(found).lower()) + 1 for found in _MONTH.findall(question)}
    years = {int(year) for year in _YEAR.findall(question)}
    days = {int(before or after) for before, after in _DAY.findall(question)} if months else set()
    asked = bool(months) + bool(years) + bool(days)
    if not asked:
        return np.zeros(len(times), dtype=np.float32)
    month, day = times.astype("datetime64[M]"), times.astype("datetime64[D]")
    in_month = np.isin(month.astype(np.int64) % 12 + 1, list(months))
    in_year = np.isin(times.astype("datetime64[Y]").astype(np.int64) + 1970, list(years))
    on_day = np.isin((day - month).astype(np.int64) + 1, list(days))
    fits: Floats = (in_month.astype(np.float32) + in_year + (in_month & on_day)) / np.float32(asked)
    return fits


def token_weights(words: Sequence[str | None], rarity: Mapping[int, float]) -> Floats:
    """Return what each token of a question counts when matched: the rarity of its word, shared by the word's tokens.

    `words` holds each token's whole word, None for the model's own tokens. `rarity` is the idf of each hashed term of
    the question. The heaviest possible token has about 1.
    """
    highest = max([1.0, *rarity.values()])
    weights: list[float] = []
    for word in words:
        if word is None:
            weights.append(_SPECIAL)
        elif terms := lexicon.hash_terms(lexicon.terms(word)):
            pieces = sum(other == word for other in words)
            weights.append(max(rarity.get(term, 0.0) for term in terms) / highest / pieces**0.5)
        else:
            weights.append(_STOP_WORD if word.isalnum() else 0.0)
    return np.array(weights, dtype=np.float32)


def _hashes(text: str) -> list[int]:
    return list(dict.fromkeys(lexicon.hash_terms(lexicon.terms(text))))
