"""What was found in turns, in Postgres: the report and the facts that it keeps, in one transaction."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from memory_service.domain.extracting import learnt, outcome_of
from memory_service.domain.extraction import Candidate, Claim, Extraction, Judged, Surroundings, Verdict
from memory_service.domain.model import Fact, FactCategory, Interaction, Owner
from memory_service.domain.own_words import MAX_CHARACTERS
from memory_service.domain.plays import STAGE_WORDS
from memory_service.domain.ports import MAX_ANSWER_BYTES, Rows
from memory_service.domain.versions import Outcome
from memory_service.stores.facts import PostgresFacts
from memory_service.stores.rows import QUERIES, fact_of, interaction_of, page_of
from meshkit.errors import NotFound
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["PostgresExtractions"]

_EARLIER_TURNS = 20
_STAGED_INPUTS = 20
_KNOWN_FACTS = 300


class PostgresExtractions:
    """`domain.extraction.ExtractionStore` on Postgres."""

    def __init__(self, pool: Pool, facts: PostgresFacts) -> None:
        self._pool, self._facts = pool, facts

    async def turn(self, owner: Owner, interaction: str) -> Interaction:
        """Return the turn. Raises NotFound."""
        with driver_errors():
            row = await self._pool.fetchrow(QUERIES["get_turn"], owner.tenant, owner.user, interaction)
        if row is None:
            raise NotFound("no such turn")
        return interaction_of(row)

    async def around(self, turn: Interaction) -> Surroundings:
        """Return what was there before the turn. A turn without a session stands alone."""
        owner = turn.owner
        place = (owner.tenant, owner.user, turn.session, turn.create_time, turn.id)
        with driver_errors():
            known = await self._pool.fetch(QUERIES["known_facts"], owner.tenant, owner.user, _KNOWN_FACTS)
            earlier, staged = [], []
            if turn.session:
                earlier = await self._pool.fetch(QUERIES["earlier_turns"], *place, _EARLIER_TURNS, MAX_CHARACTERS)
                staged = await self._pool.fetch(
                    QUERIES["staged_inputs"], *place, STAGE_WORDS, _STAGED_INPUTS, MAX_CHARACTERS
                )
        return Surroundings(
            earlier=[interaction_of(row) for row in reversed(earlier)],
            staged=[row["input"] for row in reversed(staged)],
            known={row["key"]: fact_of(row) for row in known},
        )

    async def find(self, owner: Owner, interaction: str) -> Extraction | None:
        """Return the report on a turn, if there is one."""
        with driver_errors():
            row = await self._pool.fetchrow(QUERIES["get_extraction"], owner.tenant, owner.user, interaction)
        return _extraction_of(row) if row else None

    async def record(self, turn: Interaction, found: Extraction, claim: Claim) -> Extraction:
        """Store the report and the facts that it keeps, all or nothing; once for a turn."""
        owner = turn.owner
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(QUERIES["lock_turn"], owner.tenant, owner.user, turn.id):
                raise NotFound("no such turn")
            row = await connection.fetchrow(QUERIES["get_extraction"], owner.tenant, owner.user, turn.id)
            known = _extraction_of(row) if row else None
            if known is not None and (found.dry_run or not known.dry_run):
                return known
            if not found.dry_run:
                found = await self._with_facts(connection, found, claim)
            await connection.execute(
                QUERIES["put_extraction"], owner.tenant, owner.user, turn.id, found.extractor, found.dry_run,
                [_to_json(each) for each in found.candidates], found.create_time,
            )  # fmt: skip
            await failpoint("memory.extraction.before_commit")
        await failpoint("memory.extraction.after_commit")
        return found

    async def list(self, owner: Owner, before: tuple[datetime, str] | None, limit: int) -> Rows[Extraction]:
        """Return reports newest first, and whether there are more."""
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["list_extractions"], owner.tenant, owner.user, *(before or (None, "")), limit + 1,
                MAX_ANSWER_BYTES,
            )  # fmt: skip
        return page_of(rows, limit, _extraction_of)

    async def _with_facts(self, connection: Connection, found: Extraction, claim: Claim) -> Extraction:
        judged = list(found.candidates)
        kept = [at for at, each in enumerate(judged) if each.verdict is Verdict.KEPT]
        # In the order of their keys: two turns of one user that tell of the same things cannot wait for each other.
        for at in sorted(kept, key=lambda at: judged[at].candidate.key):
            candidate = judged[at].candidate
            new = claim(candidate)
            told_at = await connection.fetchval(QUERIES["fact_told_at"], new.owner.tenant, new.owner.user, new.key)
            fact = await self._facts.told(connection, new, "", partial(_decide, told_at))
            judged[at] = outcome_of(candidate, new, fact)
        return replace(found, candidates=judged)


def _decide(told_at: datetime | None, old: Fact | None, claim: Fact) -> Outcome:
    return learnt(old, claim, told_at)


def _to_json(judged: Judged) -> dict[str, Any]:
    candidate = judged.candidate
    return {
        "key": candidate.key,
        "value": candidate.value,
        "category": candidate.category,
        "importance": candidate.importance,
        "quote": candidate.quote,
        "verdict": judged.verdict,
        "fact": judged.fact,
    }


def _from_json(kept: dict[str, Any]) -> Judged:
    candidate = Candidate(kept["key"], kept["value"], FactCategory(kept["category"]), kept["importance"], kept["quote"])
    return Judged(candidate, Verdict(kept["verdict"]), kept["fact"])


def _extraction_of(row: Any) -> Extraction:
    return Extraction(
        interaction=row["interaction"],
        owner=Owner(row["tenant"], row["user_id"]),
        extractor=row["extractor"],
        dry_run=row["dry_run"],
        candidates=[_from_json(each) for each in row["candidates"]],
        create_time=row["create_time"],
    )
