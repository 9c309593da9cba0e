"""Ranking the turns of a user for a question: what may fit is chosen by words and meaning, then looked at closely.

words of every turn ─┬─► candidates ─► features ─► learned weights ─► order
nearest by meaning  ─┘        └─► their tokens ─► matches ─┘
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval import features, lexicon, maxsim, phrases
from memory_service.retrieval.model import score
from memory_service.retrieval.question import Question
from memory_service.retrieval.shard import WordShard
from memory_service.retrieval.tokens import Reading
from memory_service.retrieval.weights import Weights

__all__ = ["CANDIDATES", "LoadTokens", "Meaning", "rank_turns"]

CANDIDATES = 150
"""How many turns are asked for by meaning."""
_BY_WORDS, _BY_NAMED_WORDS, _BY_MEANING = 80, 30, 60
_BY_WORDS_ALONE = 140
_NEAR = (0.5, 0.25)  # what a neighbour's words count, by its distance
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

LoadTokens = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]
"""Returns the packed token vectors of those of the turns that have some."""


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What was found by meaning: ids with their cosine, best first, and the question token by token if it was read."""

    whole: Mapping[str, float]
    bare: Mapping[str, float]
    reading: Reading | None


async def rank_turns(
    question: Question, shard: WordShard, meaning: Meaning | None, weights: Weights, load: LoadTokens, session: str
) -> list[tuple[str, float]]:
    """Return the ids of the turns that fit with scores from 0 to 1, best first; of one session if it is set.

    Without `meaning`, words decide alone.
    """
    if not shard.rows:
        return []
    found = lexicon.TermCounts.of(shard.lexicon, question.terms)
    dense = None if meaning is None else np.stack([_spread(meaning.whole, shard), _spread(meaning.bare, shard)])
    chosen = _chosen(question, shard, found, dense)
    if session:
        chosen = np.array([number for number in chosen if shard.rows[number].session == session], dtype=np.int64)
    if not len(chosen):
        return []
    matches = token_weights = None
    if meaning is not None and meaning.reading is not None and len(meaning.reading.states):
        ids = [shard.rows[number].source for number in chosen]
        packed = await load(ids)
        if packed:
            matches = maxsim.best_matches(meaning.reading.states, [packed.get(source, b"") for source in ids])
            rarity = dict(zip(question.terms, lexicon.idf(found).tolist(), strict=True))
            token_weights = question.token_weights(meaning.reading.spans, rarity)
    scene = _scene(question, shard, found, chosen, dense, matches, token_weights)
    scores = score(features.matrix(scene), weights.of(dense=dense is not None, matches=matches is not None))
    order = np.lexsort((-chosen, -scores))  # of equal scores the newer first, and the same order every time
    return [(shard.rows[chosen[number]].source, float(scores[number])) for number in order]


def _chosen(question: Question, shard: WordShard, found: lexicon.TermCounts, dense: Floats | None) -> Ints:
    """Return the places of the turns that are looked at closely."""
    bare = lexicon.TermCounts(found.counts[~question.is_name], found.lengths)
    by_words = lexicon.bm25(bare.windows(shard.sessions, _NEAR))
    by_named = lexicon.bm25(found.windows(shard.sessions, _NEAR))
    if dense is None:
        return np.sort(_best(by_words + np.float32(1e-3) * by_named, _BY_WORDS_ALONE))
    parts = _best(by_words, _BY_WORDS), _best(by_named, _BY_NAMED_WORDS), _best(dense[1], _BY_MEANING)
    return np.unique(np.concatenate(parts))


def _best(values: Floats, count: int) -> Ints:
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(-values, count)[:count]


def _spread(found: Mapping[str, float], shard: WordShard) -> Floats:
    """Return the cosine of every turn: of those that were not found, the least that was."""
    values = np.full(len(shard.rows), min(found.values(), default=0.0), dtype=np.float32)
    for source, cosine in found.items():
        number = shard.numbers.get(source)
        if number is not None:
            values[number] = cosine
    return values


def _scene(
    question: Question,
    shard: WordShard,
    found: lexicon.TermCounts,
    chosen: Ints,
    dense: Floats | None,
    matches: Floats | None,
    token_weights: Floats | None,
) -> features.Scene:
    rows = [shard.rows[number] for number in chosen]
    by_named = np.array([row.head in question.named for row in rows], dtype=bool)
    return features.Scene(
        found=found,
        is_name=question.is_name,
        session=shard.sessions,
        chosen=chosen,
        dense=dense,
        matches=matches,
        token_weights=token_weights,
        by_named=by_named,
        by_other=~by_named & bool(question.named),
        marks=np.array([phrases.from_bits(row.marks) for row in rows], dtype=np.float32),
        asks=phrases.asks(question.text),
        date_match=phrases.date_matches(question.text, [_EPOCH + timedelta(microseconds=row.place) for row in rows]),
        lengths=np.array([row.size for row in rows], dtype=np.float32),
    )
