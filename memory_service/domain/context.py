"""What an agent should know before it answers: recent turns, then facts and turns that fit, within a budget.

Owns which layers are asked, what is left out as said already, and who gets the budget first:

    recent turns, newest first, up to half  ─►  facts and turns, best first  ─►  older recent turns with what is left
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from memory_service.domain.model import Fact, Interaction, Kind, Layer, Owner, Place, owner_of
from memory_service.domain.ports import FactStore, InteractionStore, Recent
from memory_service.domain.ranking import distinct, fit, tokens_of
from memory_service.domain.search import Search
from meshkit.context import CallContext

__all__ = ["Context", "ContextItem", "ContextQuery", "Contexts"]


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


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One thing recalled."""

    layer: Layer
    score: float
    tokens: int
    source: Interaction | Fact


@dataclass(frozen=True, slots=True)
class Context:
    """What is known: recent turns oldest first, then the rest best first."""

    items: Sequence[ContextItem]
    degraded: Sequence[Layer]

    @property
    def tokens(self) -> int:
        """How many tokens the items take together."""
        return sum(item.tokens for item in self.items)


class Contexts:
    """Gathers contexts."""

    def __init__(self, interactions: InteractionStore, facts: FactStore, recent: Recent, search: Search) -> None:
        self._interactions, self._facts, self._recent, self._search = interactions, facts, recent, search

    async def gather(self, caller: CallContext, query: ContextQuery) -> Context:
        """Return what is known. Raises PermissionDenied, and Unavailable when Postgres does not answer."""
        owner = owner_of(caller, query.user)
        recent, (turns, facts, degraded) = await asyncio.gather(self._latest(owner, query), self._fitting(owner, query))
        scores = {item.id: score for item, score in turns} | {item.id: score for item, score in facts}
        newest = distinct(recent)
        old = distinct([turn for turn, _ in turns], newest)[: query.semantic]
        fitting: list[Interaction | Fact] = [*old, *(fact for fact, _ in facts)]
        fitting.sort(key=lambda item: -scores[item.id])

        first, left = fit(newest, query.budget // 2)
        chosen, left = fit(fitting, query.budget // 2 + query.budget % 2 + left)
        rest, _ = fit([turn for turn in newest if turn not in first], left)
        shown = [turn for turn in reversed(newest) if turn in first or turn in rest]
        return Context(
            [ContextItem(Layer.RECENT, 1.0, tokens_of(turn), turn) for turn in shown]
            + [ContextItem(_layer(item), scores[item.id], tokens_of(item), item) for item in chosen],
            degraded,
        )

    async def _latest(self, owner: Owner, query: ContextQuery) -> Sequence[Interaction]:
        if not query.session or not query.recent:
            return []
        return await self._recent.latest(owner, query.session, query.recent)

    async def _fitting(
        self, owner: Owner, query: ContextQuery
    ) -> tuple[list[tuple[Interaction, float]], list[tuple[Fact, float]], list[Layer]]:
        """Return turns and facts with their scores, best first, and the layers that were searched by words only."""
        wanted = {Kind.INTERACTION: query.semantic, Kind.FACT: query.facts}
        places = [Place(owner, kind) for kind, limit in wanted.items() if limit]
        if not places:
            return [], [], []
        found = await self._search.find(query.query, *places)
        scored = {place.kind: ids for place, ids in zip(places, found.places, strict=True)}
        # More turns than asked for: recent ones and repetitions among them are left out afterwards.
        turns = dict(scored.get(Kind.INTERACTION, [])[: 2 * query.semantic + query.recent])
        facts = dict(scored.get(Kind.FACT, [])[: query.facts])
        known_turns, known_facts, standing = await asyncio.gather(
            self._interactions.load(owner, list(turns), largest=4 * query.budget),
            self._facts.load(owner, list(facts)),
            self._standing(owner, query, facts),
        )
        degraded = [_LAYERS[place.kind] for place in places] if found.degraded else []
        best_facts = [(known_facts[source], score) for source, score in facts.items() if source in known_facts]
        return (
            [(known_turns[source], score) for source, score in turns.items() if source in known_turns],
            (best_facts + [(fact, 0.0) for fact in standing])[: query.facts],
            degraded,
        )

    async def _standing(self, owner: Owner, query: ContextQuery, found: dict[str, float]) -> list[Fact]:
        """Return who the user is and how they like things, which is worth knowing whatever they ask."""
        if len(found) >= query.facts:
            return []
        return [fact for fact in await self._facts.standing(owner, query.facts) if fact.id not in found]


_LAYERS = {Kind.INTERACTION: Layer.SEMANTIC, Kind.FACT: Layer.FACTS}


def _layer(item: Interaction | Fact) -> Layer:
    return Layer.FACTS if isinstance(item, Fact) else Layer.SEMANTIC
