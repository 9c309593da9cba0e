"""What an agent should know before it answers: recent turns, then facts, turns and passages that fit, within a budget.

Owns which layers are asked, what is left out as said already, and who gets the budget first:

    recent turns, newest first, up to half  ─►  facts, up to a quarter  ─►  turns and passages, best first
                                            ─►  facts and older recent turns with what is left
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from memory_service.domain.decay import weight
from memory_service.domain.model import USERS_OWN, Fact, Interaction, Kind, Layer, Owner, Passage, Place, owner_of
from memory_service.domain.ports import Clock, DocumentStore, FactStore, InteractionStore, Recent
from memory_service.domain.ranking import Recalled, Telling, distinct, tokens_of
from memory_service.domain.search import Search
from meshkit.context import CallContext

__all__ = ["Context", "ContextItem", "ContextQuery", "Contexts", "Fitting", "arranged"]


@dataclass(frozen=True, slots=True)
class ContextQuery:
    """What is asked for. `budget` is in tokens; each limit counts items, 0 leaves the layer out."""

    user: str
    session: str
    query: str
    budget: int
    recent: int
    semantic: int
    facts: int
    documents: int


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One thing recalled."""

    layer: Layer
    score: float
    tokens: int
    source: Recalled


@dataclass(frozen=True, slots=True)
class Context:
    """What is known: recent turns oldest first, then the rest best first."""

    items: Sequence[ContextItem]
    degraded: Sequence[Layer]

    @property
    def tokens(self) -> int:
        """How many tokens the items take together."""
        return sum(item.tokens for item in self.items)


@dataclass(frozen=True, slots=True)
class Fitting:
    """What fits, with its scores, best first of each kind; and the layers that were searched by words only."""

    turns: Sequence[Interaction]
    facts: Sequence[Fact]
    passages: Sequence[Passage]
    scores: dict[str, float]
    degraded: Sequence[Layer]


class Contexts:
    """Gathers contexts."""

    def __init__(
        self,
        interactions: InteractionStore,
        facts: FactStore,
        documents: DocumentStore,
        recent: Recent,
        search: Search,
        *,
        clock: Clock,
    ) -> None:
        self._interactions, self._facts, self._documents = interactions, facts, documents
        self._recent, self._search, self._clock = recent, search, clock

    async def gather(self, caller: CallContext, query: ContextQuery) -> Context:
        """Return what is known. Raises PermissionDenied, and Unavailable when Postgres does not answer."""
        owner = owner_of(caller, query.user)
        latest, standing, fitting = await asyncio.gather(
            self._latest(owner, query), self._facts.standing(owner, query.facts), self._fitting(owner, query)
        )
        return arranged(query, latest, standing, fitting)

    async def _latest(self, owner: Owner, query: ContextQuery) -> Sequence[Interaction]:
        if not query.session or not query.recent:
            return []
        return await self._recent.latest(owner, query.session, query.recent)

    async def _fitting(self, owner: Owner, query: ContextQuery) -> Fitting:
        wanted = {Kind.INTERACTION: query.semantic, Kind.FACT: query.facts, Kind.DOCUMENT: query.documents}
        places = [Place(owner, kind) for kind, limit in wanted.items() if limit]
        if not places:
            return Fitting([], [], [], {}, [])
        found = await self._search.find(query.query, *places)
        scored = {place.kind: ids for place, ids in zip(places, found.places, strict=True)}
        # More than asked for: repetitions among them, recent turns, and facts that are old are left out afterwards.
        turns = dict(scored.get(Kind.INTERACTION, [])[: 2 * query.semantic + query.recent])
        facts = dict(scored.get(Kind.FACT, [])[: 2 * query.facts])
        passages = dict(scored.get(Kind.DOCUMENT, [])[: 2 * query.documents])
        known_turns, known_facts, known_passages = await asyncio.gather(
            self._interactions.load(owner, list(turns), largest=4 * query.budget),
            self._facts.load(owner, list(facts)),
            self._documents.load(owner, list(passages)),
        )
        now = self._clock()
        scores = turns | passages
        scores |= {fact: score * weight(known_facts[fact], now) for fact, score in facts.items() if fact in known_facts}
        # What agents, tools and documents said is told when it fits, and not because nothing fits better.
        fit_to_tell = (
            fact for fact in known_facts.values() if fact.origin in USERS_OWN or facts[fact.id] >= _LEAST_FIT
        )
        return Fitting(
            [known_turns[turn] for turn in turns if turn in known_turns],
            sorted(fit_to_tell, key=lambda fact: -scores[fact.id]),
            [known_passages[passage] for passage in passages if passage in known_passages],
            scores,
            [_LAYERS[place.kind] for place in places] if found.degraded else [],
        )


def arranged(query: ContextQuery, latest: Sequence[Interaction], standing: Sequence[Fact], fitting: Fitting) -> Context:
    """Return what is told of all that is known: nothing twice, within the limits and the budget. Pure."""
    # Who the user is and how they like things is worth knowing whatever they ask.
    scores = dict.fromkeys((fact.id for fact in standing), 0.0) | fitting.scores
    newest = distinct(latest)
    known = [*fitting.facts, *(fact for fact in standing if fact.id not in fitting.scores)]
    facts = distinct(known, most=query.facts)
    found: list[Recalled] = [
        *distinct(fitting.turns, newest, most=query.semantic),
        *distinct(fitting.passages, most=query.documents),
    ]
    found.sort(key=lambda item: -scores[item.id])

    # Facts come before longer things that fit as well: they are short, and who the user is matters to every answer.
    telling, half, quarter = Telling(), query.budget // 2, query.budget // 4
    left = query.budget - half - quarter + telling.add(newest, half) + telling.add(facts, quarter)
    for items in (found, facts, newest):
        left = telling.add(items, left)
    best: list[Recalled] = [*telling.of(facts), *telling.of(found)]
    best.sort(key=lambda item: -scores[item.id])
    return Context(
        [ContextItem(Layer.RECENT, 1.0, tokens_of(turn), turn) for turn in reversed(telling.of(newest))]
        + [ContextItem(_layer(item), scores[item.id], tokens_of(item), item) for item in best],
        fitting.degraded,
    )


_LEAST_FIT = 0.1  # a cosine of a third with no word shared, or a seventh of the question's words
_LAYERS = {Kind.INTERACTION: Layer.SEMANTIC, Kind.FACT: Layer.FACTS, Kind.DOCUMENT: Layer.DOCUMENTS}


def _layer(item: Recalled) -> Layer:
    match item:
        case Fact():
            return Layer.FACTS
        case Passage():
            return Layer.DOCUMENTS
        case Interaction():
            return Layer.SEMANTIC
