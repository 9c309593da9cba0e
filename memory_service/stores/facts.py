"""Facts in Postgres, with what they were before."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from memory_service.domain.model import Fact, FactCategory, FactChange, FactVersion, Owner
from memory_service.domain.ports import MAX_ANSWER_BYTES, Decide, RequestKey, Rows
from memory_service.stores.answers import fact_from_bytes, fact_to_bytes
from memory_service.stores.rows import (
    QUERIES,
    delete_words,
    fact_of,
    must_follow,
    page_of,
    put_words,
    request_of,
    version_of,
)
from meshkit.errors import Aborted, NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["PostgresFacts", "remove_fact", "write_fact"]

_EVERY_VERSION = 2**31 - 1


class PostgresFacts:
    """`domain.ports.FactStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def tell(self, key: RequestKey, claim: Fact, expected_etag: str, decide: Decide) -> Fact:
        """Store what `decide` makes of the claim and the fact with its key, once for the request."""
        owner = claim.owner

        async def effect(connection: Connection) -> bytes:
            return fact_to_bytes(await self.told(connection, claim, expected_etag, decide))

        return fact_from_bytes(await idempotency.once(self._pool, request_of(owner, key), key.digest, effect), owner)

    async def supersede(
        self, key: RequestKey, old: Fact, make: Callable[[Fact], Fact], expected_etag: str, decide: Decide
    ) -> Fact:
        """Do the same with the claim that `make` returns for the fact as it is now. Raises NotFound, Aborted."""
        owner = old.owner

        async def effect(connection: Connection) -> bytes:
            row = await connection.fetchrow(QUERIES["lock_fact"], owner.tenant, owner.user, old.key)
            if row is None or row["id"] != old.id:
                raise NotFound("no such fact")
            return fact_to_bytes(await self.told(connection, make(fact_of(row)), expected_etag, decide))

        return fact_from_bytes(await idempotency.once(self._pool, request_of(owner, key), key.digest, effect), owner)

    async def get(self, tenant: str, user: str | None, fact: str) -> Fact:
        """Return the fact. Raises NotFound."""
        with driver_errors():
            return _found(await self._pool.fetchrow(QUERIES["get_fact"], tenant, user, fact))

    async def list(
        self,
        owner: Owner,
        category: FactCategory | None,
        after: str,
        limit: int,
        *,
        valid_at: datetime,
        known_at: datetime | None,
    ) -> Rows[Fact]:
        """Return facts by key that were true at one time, as they were known at another."""
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["list_facts"], owner.tenant, owner.user, category, after, limit + 1, MAX_ANSWER_BYTES,
                valid_at, known_at,
            )  # fmt: skip
        return page_of(rows, limit, fact_of)

    async def versions(
        self, fact: Fact, before: int | None, limit: int, *, contested: bool | None = None
    ) -> Rows[FactVersion]:
        """Return what the fact was before, and what was said against it, newest first."""
        owner = fact.owner
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["list_versions"], owner.tenant, owner.user, fact.id, before or _EVERY_VERSION, contested,
                limit + 1, MAX_ANSWER_BYTES,
            )  # fmt: skip
        return page_of(rows, limit, version_of)

    async def load(self, owner: Owner, ids: Sequence[str]) -> Mapping[str, Fact]:
        """Return the owner's facts among the ids that are true now."""
        if not ids:
            return {}
        with driver_errors():
            rows = await self._pool.fetch(QUERIES["load_facts"], owner.tenant, owner.user, ids)
        return {row["id"]: fact_of(row) for row in rows}

    async def standing(self, owner: Owner, limit: int) -> Sequence[Fact]:
        """Return profile and preferences in the user's own words, the most important first."""
        if not limit:
            return []
        with driver_errors():
            rows = await self._pool.fetch(QUERIES["standing_facts"], owner.tenant, owner.user, limit)
        return [fact_of(row) for row in rows]

    async def delete(self, tenant: str, user: str | None, fact: str, expected_etag: str) -> None:
        """Delete the fact with its versions and its words."""
        async with transaction(self._pool) as connection:
            old = _found(await connection.fetchrow(f"{QUERIES['get_fact']} FOR UPDATE", tenant, user, fact))
            _check(old, expected_etag)
            await remove_fact(connection, old)

    async def told(self, connection: Connection, claim: Fact, expected_etag: str, decide: Decide) -> Fact:
        """Store what `decide` makes of the claim, in the transaction given; returns the fact. Raises Aborted."""
        if not expected_etag:
            first = decide(None, claim).fact
            if await connection.fetchrow(QUERIES["add_fact"], *_values(first)) is not None:
                await put_words(connection, first)
                await must_follow(connection, first)
                return first
        owner = claim.owner
        row = await connection.fetchrow(QUERIES["lock_fact"], owner.tenant, owner.user, claim.key)
        if row is None:
            # Either it was never there, or it was deleted between the two statements.
            raise Aborted("the fact changed since it was read")
        old = fact_of(row)
        _check(old, expected_etag)
        outcome = decide(old, claim)
        kept = outcome.beside
        if outcome.fact == old:
            return old
        if kept is not None:
            if kept.change is FactChange.CONTESTED and await _is_known(connection, old, kept):
                return old  # who insists leaves no heap of versions
            await connection.execute(QUERIES["add_version"], *_version_values(kept, outcome.ended_at))
        if outcome.fact.value == old.value:  # nothing else of a fact is searched for
            await connection.execute(QUERIES["change_fact"], *_values(outcome.fact))
        else:
            await write_fact(connection, outcome.fact)
        return outcome.fact


async def write_fact(connection: Connection, fact: Fact) -> None:
    """Write a fact that exists as it is now, with its words and what must follow."""
    await connection.execute(QUERIES["change_fact"], *_values(fact))
    await put_words(connection, fact)
    await must_follow(connection, fact)


async def remove_fact(connection: Connection, fact: Fact) -> None:
    """Delete a fact with its versions and its words."""
    await connection.execute(QUERIES["delete_fact"], fact.owner.tenant, fact.owner.user, fact.id)
    await delete_words(connection, fact)
    await must_follow(connection, fact)


async def _is_known(connection: Connection, fact: Fact, against: FactVersion) -> bool:
    """Tell whether the very same was said against the fact since somebody last stood by it."""
    claim, since = against.fact, fact.confirm_time or fact.update_time
    values = (fact.owner.tenant, fact.owner.user, fact.id, claim.value, claim.origin, claim.source, since)
    return bool(await connection.fetchval(QUERIES["said_against"], *values))


def _check(fact: Fact, expected_etag: str) -> None:
    if expected_etag and fact.etag != expected_etag:
        raise Aborted("the fact changed since it was read")


def _found(row: Any) -> Fact:
    if row is None:
        raise NotFound("no such fact")
    return fact_of(row)


def _content(fact: Fact) -> tuple[Any, ...]:
    return (
        fact.key, fact.value, fact.category, fact.importance, fact.origin, fact.run, fact.source, fact.step,
        fact.interaction, fact.quote, fact.valid_from, fact.valid_to, fact.confirm_time, fact.change, fact.reason,
    )  # fmt: skip


def _values(fact: Fact) -> tuple[Any, ...]:
    return (
        fact.owner.tenant, fact.owner.user, fact.id, *_content(fact), fact.version, fact.latest, fact.contested,
        fact.create_time, fact.update_time, fact.etag,
    )  # fmt: skip


def _version_values(kept: FactVersion, ended_at: datetime | None) -> tuple[Any, ...]:
    fact = kept.fact
    return (
        fact.owner.tenant, fact.owner.user, fact.id, kept.number, *_content(fact), fact.create_time, fact.update_time,
        fact.etag, kept.record_time, kept.replace_time, ended_at,
    )  # fmt: skip
