"""Ranking the turns of a user for a question: a pool is drawn by words and meaning, cut, and looked at closely.

    words of every turn ─┬─► pool ─► features ─► weights ─► the first ones ─┬─► features ─► weights ─► order
    nearest by meaning  ─┘                                   their tokens  ─┘

Owns the two cuts. It reads no store: the tokens of the first ones are brought by its caller between the two steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval import features, lexicon, maxsim
from memory_service.retrieval.question import Question, date_matches, token_weights
from memory_service.retrieval.shard import WordShard
from memory_service.retrieval.tokens import Reading
from memory_service.retrieval.weights import Weights

__all__ = ["DENSE_LIMIT", "ByWords", "Pool"]

DENSE_LIMIT = 200
"""Turns that are asked for by meaning."""
_WORDS_LIMIT = 200  # turns that enter the pool by their words
_RERANKED = 120  # turns whose tokens are compared: they hold 97.4 % of the evidence, the pool 99.0 %
_NEAR = 1  # of `features.by_words`: with a turn's neighbours more of the evidence is found than without

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ByWords:
    """What the words of a question say of every turn of a user."""

    question: Question
    shard: WordShard
    scores: Sequence[Floats]
    """From `features.by_words`."""
    rarity: Sequence[float]
    """How rare each of the bare question's terms is among the turns."""

    @classmethod
    def of(cls, question: Question, shard: WordShard) -> "ByWords":
        """Compare the bare question's terms with those of every turn."""
        found = lexicon.TermCounts.of(shard.lexicon, question.bare_terms)
        return cls(question, shard, features.by_words(found, shard.sessions), lexicon.idf(found).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The turns that may fit a question, with what is known of them."""

    by_words: ByWords
    scene: features.Scene

    @classmethod
    def drawn(cls, by_words: ByWords, nearest: Mapping[str, float] | None, session: str = "") -> "Pool":
        """Draw the pool from all turns, or from one session of them.

        `nearest` are the turns most alike to the bare question with their cosine; without it, words decide alone.
        """
        question, shard = by_words.question, by_words.shard
        chosen = _best(by_words.scores[_NEAR], _WORDS_LIMIT)
        if nearest is not None:
            there = [shard.numbers[source] for source in nearest if source in shard.numbers]
            chosen = np.union1d(chosen, np.array(there, dtype=np.int64))
        if session:
            chosen = np.array([turn for turn in chosen if shard.rows[turn].session == session], dtype=np.int64)
        chosen = np.sort(chosen)
        rows = [shard.rows[turn] for turn in chosen]
        by_named = np.array([row.head in question.named for row in rows], dtype=bool)
        times = np.array([row.place for row in rows], dtype="datetime64[us]")
        scene = features.Scene(
            words=by_words.scores,
            meaning=() if nearest is None else features.by_meaning(_cosines(nearest, shard), shard.sessions),
            session=shard.sessions,
            chosen=chosen,
            matches=None,
            token_weights=None,
            by_named=by_named,
            date_match=date_matches(question.text, times),
            asks_back=np.array([row.asks for row in rows], dtype=bool),
        )
        return cls(by_words, scene)

    @property
    def sources(self) -> Sequence[str]:
        """The ids of the turns."""
        return [self.by_words.shard.rows[turn].source for turn in self.scene.chosen]

    def leaders(self, weights: Weights) -> "Pool":
        """Return those that lead without their tokens."""
        if len(self.scene.chosen) <= _RERANKED:
            return self
        kept = np.sort(_best(weights.score(self.scene), _RERANKED))
        return replace(self, scene=_picked(self.scene, kept))

    def read(self, reading: Reading, tokens: Mapping[str, bytes]) -> "Pool":
        """Return the pool with its tokens compared to those of the bare question."""
        if not tokens:
            return self
        rarity = dict(zip(self.by_words.question.bare_terms, self.by_words.rarity, strict=True))
        matches = maxsim.best_matches(reading.states, [tokens.get(source, b"") for source in self.sources])
        scene = replace(self.scene, matches=matches, token_weights=token_weights(reading.words, rarity))
        return replace(self, scene=scene)

    def ranked(self, weights: Weights) -> list[tuple[str, float]]:
        """Return the ids with scores from 0 to 1, best first."""
        if not len(self.scene.chosen):
            return []
        scores = weights.score(self.scene)
        likelihood = 1 / (1 + np.exp(-scores.clip(-30, 30)))
        order = np.lexsort((-self.scene.chosen, -scores))  # of equal scores the newer first, and so every time
        sources = self.sources
        return [(sources[number], float(likelihood[number])) for number in order]


def _best(values: Floats, count: int) -> Ints:
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(-values, count)[:count]


def _cosines(nearest: Mapping[str, float], shard: WordShard) -> Floats:
    """Return the cosine of every turn: of those that were not found, the least that was."""
    values = np.full(len(shard.rows), min(nearest.values(), default=0.0), dtype=np.float32)
    for source, cosine in nearest.items():
        turn = shard.numbers.get(source)
        if turn is not None:
            values[turn] = cosine
    return values


def _picked(scene: features.Scene, rows: Ints) -> features.Scene:
    return replace(
        scene,
        chosen=scene.chosen[rows],
        by_named=scene.by_named[rows],
        date_match=scene.date_match[rows],
        asks_back=scene.asks_back[rows],
    )
