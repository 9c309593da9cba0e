"""A question as a search compares it: its terms, whom it names, and what is left of it without the names.

Owns how names are found. They dominate what an embedding model makes of a short text, and who spoke is compared by
itself, so what is compared by meaning is the question without them.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval.lexicon import hash_terms, terms

__all__ = ["Question"]

_MARK_WEIGHT = 0.0  # of a token that is no word
_PLAIN_WEIGHT = 0.12  # of a word that every text has


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by one who knows the speakers."""

    text: str
    bare: str
    """The text without the names of speakers; the text itself if that leaves nothing."""
    terms: Sequence[int]
    """The hashes of its terms, each once, in order."""
    is_name: NDArray[np.bool_]
    """Which of the terms belong to a speaker's name."""
    named: frozenset[str]
    """The speakers whom it names."""

    @classmethod
    def of(cls, text: str, speakers: Collection[str]) -> "Question":
        """Read a question."""
        asked = list(dict.fromkeys(hash_terms(terms(text))))
        names = {speaker: set(hash_terms(terms(speaker))) for speaker in speakers if speaker}
        of_names: set[int] = set().union(*names.values())
        bare = text
        if names:
            longest_first = sorted(names, key=len, reverse=True)
            pattern = rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b(?:['\u2019]s)?"
            bare = " ".join(re.sub(pattern, "", text, flags=re.IGNORECASE).split())
        return cls(
            text=text,
            bare=bare or text,
            terms=asked,
            is_name=np.array([term in of_names for term in asked], dtype=bool),
            named=frozenset(speaker for speaker, parts in names.items() if parts & set(asked)),
        )

    def token_weights(self, spans: Sequence[tuple[int, int]], rarity: Mapping[int, float]) -> NDArray[np.float32]:
        """Return how much each token of `bare` counts: as its word is rare, shared among the word's tokens."""
        words = list(re.finditer(r"\w+", self.bare))
        rarest = max(1.0, *rarity.values()) if rarity else 1.0
        weights = np.full(len(spans), _MARK_WEIGHT, dtype=np.float32)
        for word in words:
            tokens = [number for number, (start, end) in enumerate(spans) if start < word.end() and end > word.start()]
            hashes = hash_terms(terms(word[0]))
            weight = max((rarity.get(term, 0.0) for term in hashes), default=None)
            for number in tokens:
                weights[number] = _PLAIN_WEIGHT if weight is None else weight / rarest / len(tokens) ** 0.5
        return weights
