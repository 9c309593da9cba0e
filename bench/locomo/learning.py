"""Learning the weights of the search for turns from questions whose answers are known.

Owns the loss and its descent: for each question, the softmax over its candidates is drawn towards the turns that answer
it (listwise cross-entropy; the turns of one question share a weight of 1). Adam, a cosine step, a little L2. The
features are those of the service, on the same rows and vectors. The same data give the same weights.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from bench.locomo.data import Conversation
from memory_service.adapters.embedding.offline import OfflineModel
from memory_service.domain.model import Interaction, Owner
from memory_service.domain.passages import head, passages
from memory_service.retrieval import features, maxsim
from memory_service.retrieval.indexed import row_of
from memory_service.retrieval.question import Question
from memory_service.retrieval.shard import WordShard
from memory_service.retrieval.tokens import Reading
from memory_service.retrieval.turns import DENSE_LIMIT, ByWords, Pool
from memory_service.retrieval.weights import SETS, Weights

__all__ = ["Lesson", "learn", "lessons"]

Floats = NDArray[np.float32]

_EPOCHS = 30
_BATCH = 64
_STEP = 0.02
_L2 = 1e-3
_SEED = 7
_ADVERSARIAL = 5  # its questions ask about the wrong person on purpose: learning them would teach to distrust names
_TEXTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A question, what the service would look at, and the turns that answer it."""

    conversation: str
    by_words: Pool
    by_meaning: Pool
    reading: Reading
    tokens: dict[str, bytes]
    evidence: frozenset[str]

    def pool(self, kind: str, weights: Weights) -> Pool:
        """Return what is looked at with one of `SETS`."""
        if kind == "words":
            return self.by_words
        if kind == "dense":
            return self.by_meaning
        leaders = self.by_meaning.leaders(weights)
        return leaders.read(self.reading, {source: self.tokens[source] for source in leaders.sources})


async def lessons(conversation: Conversation, model: OfflineModel) -> list[Lesson]:
    """Return the questions of a conversation that teach something."""
    turns = _turns(conversation)
    readings = await _read(model, [passages(turn)[0] for turn in turns])
    vectors = np.array([reading.vector for reading in readings], dtype=np.float32)
    tokens = {
        turn.id: maxsim.pack(reading.said(len(head(turn)))) for turn, reading in zip(turns, readings, strict=True)
    }
    shard = await asyncio.to_thread(WordShard().with_rows, [row_of(turn) for turn in turns])
    if shard is None:
        raise AssertionError("an empty shard takes any rows")
    asked = [each for each in conversation.questions if each.category != _ADVERSARIAL]
    questions = [Question.of(each.text, shard.speakers) for each in asked]
    taught = []
    for each, question, reading in zip(asked, questions, await _read(model, [q.bare for q in questions]), strict=True):
        cosines = vectors @ np.array(reading.vector, dtype=np.float32)
        order = np.argsort(-cosines, kind="stable")[:DENSE_LIMIT]
        words = ByWords.of(question, shard)
        nearest = {turns[place].id: float(cosines[place]) for place in order}
        taught.append(
            Lesson(
                conversation=conversation.name,
                by_words=Pool.drawn(words, None),
                by_meaning=Pool.drawn(words, nearest),
                reading=reading,
                tokens=tokens,
                evidence=frozenset(turns[place].id for place in each.evidence),
            )
        )
    return taught


def learn(taught: Sequence[Lesson]) -> Weights:
    """Return weights for each of `SETS`. The full set learns on what the set below it lets through."""
    sets: dict[str, Floats] = {}
    for kind in SETS:
        pools = [lesson.pool(kind, Weights(sets)) for lesson in taught]
        lists = [
            (features.matrix(pool.scene), np.array([source in lesson.evidence for source in pool.sources]))
            for lesson, pool in zip(taught, pools, strict=True)
        ]
        sets[kind] = _descend([(rows, wanted) for rows, wanted in lists if wanted.any()])
    return Weights(sets)


def _descend(lists: list[tuple[Floats, NDArray[np.bool_]]]) -> Floats:
    chance = np.random.default_rng(_SEED)
    weights, mean, square = np.zeros((3, lists[0][0].shape[1]), dtype=np.float64)
    steps = _EPOCHS * -(-len(lists) // _BATCH)
    step = 0
    for _ in range(_EPOCHS):
        order = chance.permutation(len(lists))
        for begin in range(0, len(order), _BATCH):
            step += 1
            batch = [lists[index] for index in order[begin : begin + _BATCH]]
            slope = sum(_slope(rows, wanted, weights) for rows, wanted in batch) / len(batch) + _L2 * weights
            mean = 0.9 * mean + 0.1 * slope
            square = 0.999 * square + 0.001 * slope * slope
            rate = _STEP * 0.5 * (1 + np.cos(np.pi * step / steps))
            weights = weights - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights.astype(np.float32)


def _slope(rows: Floats, wanted: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = rows @ weights
    odds = np.exp(scores - scores.max())
    slope: NDArray[np.float64] = (odds / odds.sum() - wanted / wanted.sum()) @ rows
    return slope


def _turns(conversation: Conversation) -> list[Interaction]:
    owner = Owner("bench", conversation.name)
    return [
        Interaction(
            id=f"int_{place:08}",
            owner=owner,
            session=f"session-{turn.session}",
            run="",
            agent="",
            input=turn.text,
            output="",
            labels={},
            create_time=turn.time + timedelta(seconds=place),
            speaker=turn.speaker,
        )
        for place, turn in enumerate(conversation.turns)
    ]


async def _read(model: OfflineModel, texts: Sequence[str]) -> list[Reading]:
    found: list[Reading] = []
    for begin in range(0, len(texts), _TEXTS_AT_ONCE):
        found += await model.read(texts[begin : begin + _TEXTS_AT_ONCE])
    return found
