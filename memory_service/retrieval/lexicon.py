"""Words of a text as numbers, and BM25 over every turn of one user at once.

Owns what a word is (case, stems, stop words, scripts without spaces), its 32-bit hash, its stored form, and the
scores of turns, of turns with their neighbours and of sessions. It reads no store and knows no embedding.

    text -> terms -> hashes with counts -> bytes (stored beside the turn)
    bytes of every turn of a user -> one flat array -> counts of a question's terms in every turn -> BM25
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import snowballstemmer  # type: ignore[import-untyped]
from numpy.typing import NDArray

__all__ = ["Lexicon", "TermCounts", "bm25", "hash_terms", "idf", "pack", "saturation", "spread", "terms", "unpack"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# Two characters of a script that puts no spaces between words stand for a word: Han, kana, Thai, Lao, Khmer, Burmese.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
_PIECES = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_MAX_TERM = 40  # characters of one word; longer ones are keys or noise, and their beginning tells them apart
_MAX_COUNT = 65_535

_STOP_WORDS = frozenset(files("memory_service.retrieval").joinpath("stop_words.txt").read_text().split())

_ENTRY = np.dtype([("term", "<u4"), ("count", "<u2")])
_english = snowballstemmer.stemmer("english")


def terms(text: str) -> list[str]:
    """Return the words that count, in order: lower case, English stems, no stop words, pairs of unspaced characters."""
    return [term for piece in _PIECES.findall(text.lower()) for term in _terms_of(piece)]


def hash_terms(words: Sequence[str]) -> list[int]:
    """Return each word's 32-bit number, the same in every process and on every machine."""
    return [zlib.crc32(word.encode("utf-8", "replace")) for word in words]


def pack(text: str) -> bytes:
    """Return a text's terms with their counts, 6 bytes a different term. An empty result is a text without words."""
    counts = Counter(hash_terms(terms(text)))
    entries = np.zeros(len(counts), dtype=_ENTRY)
    entries["term"] = np.fromiter(counts.keys(), dtype=np.uint32, count=len(counts))
    entries["count"] = np.minimum(np.fromiter(counts.values(), dtype=np.int64, count=len(counts)), _MAX_COUNT)
    return entries.tobytes()


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The terms of many turns, one after another, in the order in which the turns were given."""

    terms: NDArray[np.uint32]
    counts: NDArray[np.uint16]
    offsets: Ints
    """Where each turn's terms begin, and at last where all end: one more than there are turns."""
    lengths: Floats
    """How many words each turn has, repeated ones counted."""

    @classmethod
    def empty(cls) -> "Lexicon":
        """Return the terms of no turns."""
        return unpack([])

    def plus(self, spots: Sequence[int], packed: Sequence[bytes]) -> "Lexicon":
        """Return the terms with more turns among them, each before the turn that is now at its spot.

        `spots` ascend; `packed` is what `pack` stored. Raises what `unpack` raises.
        """
        new = unpack(packed)
        sizes = np.diff(new.offsets)
        begins = np.repeat(self.offsets[spots], sizes)
        return Lexicon(
            np.insert(self.terms, begins, new.terms),
            np.insert(self.counts, begins, new.counts),
            _offsets(np.insert(np.diff(self.offsets), spots, sizes)),
            np.insert(self.lengths, spots, new.lengths),
        )


def unpack(packed: Sequence[bytes]) -> Lexicon:
    """Return what `pack` stored, for all turns at once. Raises ValueError when one is cut short."""
    sizes = np.fromiter(map(len, packed), dtype=np.int64, count=len(packed))
    if (sizes % _ENTRY.itemsize).any():
        raise ValueError("packed terms are cut short")
    entries = np.frombuffer(b"".join(packed), dtype=_ENTRY)
    offsets = _offsets(sizes // _ENTRY.itemsize)
    counts = np.ascontiguousarray(entries["count"])
    totals = _offsets(counts)
    lengths = (totals[offsets[1:]] - totals[offsets[:-1]]).astype(np.float32)
    return Lexicon(np.ascontiguousarray(entries["term"]), counts, offsets, lengths)


@dataclass(frozen=True, slots=True)
class TermCounts:
    """How often each of a query's terms stands in each document, and how long each document is."""

    counts: Floats
    """(terms, documents)."""
    lengths: Floats
    """(documents,), in words."""

    @classmethod
    def of(cls, lexicon: Lexicon, query: Sequence[int]) -> "TermCounts":
        """Count a query's terms (their hashes) in every turn. A term given twice is counted once."""
        wanted = list(dict.fromkeys(query))
        counts = np.zeros((len(wanted), len(lexicon.lengths)), dtype=np.float32)
        for row, term in enumerate(wanted):
            # A pass over the flat array for each of a few terms is faster than one search for all of them.
            found = np.flatnonzero(lexicon.terms == np.uint32(term))
            counts[row, np.searchsorted(lexicon.offsets, found, side="right") - 1] = lexicon.counts[found]
        return cls(counts, lexicon.lengths)

    def windows(self, session: Ints, weights: Sequence[float]) -> "TermCounts":
        """Return the same for each turn with its neighbours of the same session: `weights[0]` at distance 1, and so on.

        Turns must be in order of session and of place in it; `session` is each turn's session.
        """
        return TermCounts(spread(self.counts, session, weights), spread(self.lengths[None], session, weights)[0])

    def sessions(self, session: Ints) -> "TermCounts":
        """Return the same for whole sessions, in the order in which they come."""
        if not len(session):
            return self
        starts = np.flatnonzero(np.r_[True, session[1:] != session[:-1]])
        return TermCounts(np.add.reduceat(self.counts, starts, axis=1), np.add.reduceat(self.lengths, starts))


def bm25(found: TermCounts, *, k1: float = 1.2, b: float = 0.75) -> Floats:
    """Return the BM25 score of every document; 0 where no term of the query stands."""
    scores: Floats = idf(found) @ saturation(found, k1=k1, b=b)
    return scores


def idf(found: TermCounts) -> Floats:
    """Return each term's weight: how rare it is among the documents."""
    documents = found.counts.shape[1]
    holding = (found.counts > 0).sum(axis=1).astype(np.float32)
    weights: Floats = np.log1p((documents - holding + np.float32(0.5)) / (holding + np.float32(0.5))).astype(np.float32)
    return weights


def saturation(found: TermCounts, *, k1: float, b: float) -> Floats:
    """Return (terms, documents): a count's worth, which grows ever less with the count and with the length."""
    mean = max(float(found.lengths.mean()), 1e-6) if len(found.lengths) else 1.0
    norms = (np.float32(k1 * (1 - b)) + np.float32(k1 * b / mean) * found.lengths).astype(np.float32)
    worth: Floats = found.counts * np.float32(k1 + 1) / (found.counts + norms + np.float32(1e-9))
    return worth


def spread(values: Floats, session: Ints, weights: Sequence[float]) -> Floats:
    """Return values (..., turns) plus those of neighbours in the same session, each times its distance's weight."""
    total = values.astype(np.float32, copy=True)
    for distance, weight in enumerate(weights, start=1):
        together = (session[:-distance] == session[distance:]).astype(np.float32) * np.float32(weight)
        total[..., distance:] += values[..., :-distance] * together
        total[..., :-distance] += values[..., distance:] * together
    return total


def _offsets(sizes: NDArray[Any]) -> Ints:
    """Return where each of so many begins, and at last where all end."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)])


def _terms_of(piece: str) -> Iterator[str]:
    if _IS_UNSPACED.match(piece):
        yield from (piece[i : i + 2] for i in range(max(len(piece) - 1, 1)))
    elif piece not in _STOP_WORDS:
        yield _stem(piece[:_MAX_TERM])


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    stem: str = _english.stemWord(word)
    return stem
