"""Search by words and by meaning at once, of one owner's memory; it answers by words alone when meaning is late.

    query ─┬─► words (kept as Postgres has them, always) ──┬─► rank ─► ids with scores
           └─► embed ─► vector index (within patience) ────┘

Owns the patience and the rule of degrading. How turns are ranked is `turns`; facts and passages stand each for itself,
and theirs is `fusion`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from memory_service.domain.indexes import Index, Indexes
from memory_service.domain.model import Kind, Owner, Place
from memory_service.domain.search import Found
from memory_service.retrieval.fusion import rank_alone
from memory_service.retrieval.question import Question
from memory_service.retrieval.shard import WordShard
from memory_service.retrieval.tokens import Reading, TokenModel
from memory_service.retrieval.turns import DENSE_LIMIT, ByWords, Pool
from memory_service.retrieval.weights import Weights
from meshkit.errors import MeshError

__all__ = ["PATIENCE_SECONDS", "HybridSearch", "Meaning", "Tokens", "Warn", "Words"]

PATIENCE_SECONDS = 0.5
"""How long meaning may take in all, embedding included, before words answer alone."""
_QUERY_BYTES = 8192  # what the contract says is searched for of a longer query

Warn = Callable[[str, BaseException], None]
"""Logs an action that went on without a part of it."""


class Words(Protocol):
    """The words of owners' things."""

    async def of(self, place: Place) -> WordShard:
        """Return the words of everything in the place, whatever its session. Raises what Postgres raises."""
        ...


class Tokens(Protocol):
    """The packed token vectors of turns."""

    async def load(self, owner: Owner, turns: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is there of the owner's turns."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What a place has that means the same, by id with its cosine; and the bare question token by token."""

    nearest: Mapping[str, float]
    reading: Reading | None


class HybridSearch:
    """`domain.search.Search`."""

    def __init__(
        self,
        words: Words,
        indexes: Indexes,
        tokens: Tokens,
        *,
        weights: Weights,
        reader: TokenModel | None,
        warn: Warn,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Without a `reader`, turns are not compared token by token."""
        self._words, self._indexes, self._tokens = words, indexes, tokens
        self._weights, self._reader, self._warn, self._patience = weights, reader, warn, patience
        self._by_words_only = False

    async def find(self, query: str, *places: Place) -> Found:
        """Search several places for the same query. Raises Unavailable when Postgres does not answer."""
        text = query.encode()[:_QUERY_BYTES].decode(errors="ignore")
        shards = await asyncio.gather(*(self._words.of(place) for place in places))
        question = Question.of(text, {speaker for shard in shards for speaker in shard.speakers})
        filled = {place: shard for place, shard in zip(places, shards, strict=True) if shard.rows}
        # The question is embedded while its words are compared.
        meanings, by_words = await asyncio.gather(
            self._meaning(question, list(filled)), _turns_by_words(question, filled)
        )
        ranked = await asyncio.gather(
            *(
                self._rank(question, place, shard, by_words.get(place), (meanings or {}).get(place))
                for place, shard in filled.items()
            )
        )
        found = dict(zip(filled, ranked, strict=True))
        return Found([found.get(place, []) for place in places], degraded=meanings is None)

    async def _rank(
        self, question: Question, place: Place, shard: WordShard, words: ByWords | None, meaning: Meaning | None
    ) -> Sequence[tuple[str, float]]:
        nearest = meaning.nearest if meaning else None
        if words is None:
            return rank_alone(question, shard, nearest, place.session)
        pool = Pool.drawn(words, nearest, place.session)
        if meaning and meaning.reading:
            pool = pool.leaders(self._weights)
            pool = pool.read(meaning.reading, await self._tokens.load(place.owner, pool.sources))
        return pool.ranked(self._weights)

    async def _meaning(self, question: Question, places: Sequence[Place]) -> Mapping[Place, Meaning] | None:
        """Return what each place has that means the same; None if that is not known in time."""
        if not places:
            return {}
        # Turns say who spoke, so they are asked without the names; facts and passages are about people.
        asked = [question.bare if place.kind is Kind.INTERACTION else question.text for place in places]

        async def search(index: Index) -> list[dict[str, float]]:
            texts = list(dict.fromkeys(asked))
            embedded, nearest = await asyncio.gather(
                index.embedder.embed(texts), asyncio.gather(*(index.vectors.at(place) for place in places))
            )
            vectors = dict(zip(texts, embedded, strict=True))
            return await asyncio.gather(
                *(find(vectors[text], DENSE_LIMIT) for find, text in zip(nearest, asked, strict=True))
            )

        try:
            async with asyncio.timeout(self._patience):
                found = await self._indexes.ask(search)
                reading = (await self._reader.read([question.bare]))[0] if self._reader else None
        except (MeshError, TimeoutError) as error:
            if not self._by_words_only:  # once, not with every search until it is over
                self._warn("search_by_words_only", error)
            self._by_words_only = True
            return None
        self._by_words_only = False
        return {place: Meaning(nearest, reading) for place, nearest in zip(places, found, strict=True)}


async def _turns_by_words(question: Question, shards: Mapping[Place, WordShard]) -> Mapping[Place, ByWords]:
    return {
        place: await asyncio.to_thread(ByWords.of, question, shard)
        for place, shard in shards.items()
        if place.kind is Kind.INTERACTION
    }
