"""Facts in Postgres."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Owner
from memory_service.domain.ports import MAX_ANSWER_BYTES, RequestKey, Rows
from memory_service.stores.rows import (
    QUERIES,
    delete_words,
    fact_of,
    must_follow,
    page_of,
    put_words,
    request_of,
)
from meshkit.errors import Aborted, NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["PostgresFacts"]


class PostgresFacts:
    """`domain.ports.FactStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, key: RequestKey, fact: Fact, expected_etag: str) -> Fact:
        """Store or replace the fact, once for the request."""
        owner = fact.owner

        async def effect(connection: Connection) -> bytes:
            if expected_etag:
                old = await connection.fetchrow(QUERIES["lock_fact"], owner.tenant, owner.user, fact.key)
                if old is None or old["etag"] != expected_etag:
                    raise Aborted("the fact changed since it was read")
            row = await connection.fetchrow(
                QUERIES["put_fact"], owner.tenant, owner.user, fact.id, fact.key, fact.value, fact.category,
                fact.importance, fact.origin, fact.run, fact.create_time, fact.update_time, fact.etag,
            )  # fmt: skip
            stored = fact_of(row)
            await put_words(connection, stored)
            await must_follow(connection, stored)
            return _to_bytes(stored)

        return _from_bytes(await idempotency.once(self._pool, request_of(owner, key), key.digest, effect), owner)

    async def get(self, tenant: str, user: str | None, fact: str) -> Fact:
        """Return the fact. Raises NotFound."""
        with driver_errors():
            return _found(await self._pool.fetchrow(QUERIES["get_fact"], tenant, user, fact))

    async def list(self, owner: Owner, category: FactCategory | None, after: str, limit: int) -> Rows[Fact]:
        """Return facts by key, and whether there are more."""
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["list_facts"], owner.tenant, owner.user, category, after, limit + 1, MAX_ANSWER_BYTES
            )
        return page_of(rows, limit, fact_of)

    async def load(self, owner: Owner, ids: Sequence[str]) -> Mapping[str, Fact]:
        """Return the owner's facts among the ids."""
        with driver_errors():
            rows = await self._pool.fetch(QUERIES["load_facts"], owner.tenant, owner.user, ids)
        return {row["id"]: fact_of(row) for row in rows}

    async def standing(self, owner: Owner, limit: int) -> Sequence[Fact]:
        """Return profile and preferences, the most important first."""
        with driver_errors():
            rows = await self._pool.fetch(QUERIES["standing_facts"], owner.tenant, owner.user, limit)
        return [fact_of(row) for row in rows]

    async def delete(self, tenant: str, user: str | None, fact: str, expected_etag: str) -> None:
        """Delete the fact with its words."""
        async with transaction(self._pool) as connection:
            old = _found(await connection.fetchrow(f"{QUERIES['get_fact']} FOR UPDATE", tenant, user, fact))
            if expected_etag and old.etag != expected_etag:
                raise Aborted("the fact changed since it was read")
            await connection.execute(QUERIES["delete_fact"], tenant, old.owner.user, fact)
            await delete_words(connection, old)
            await must_follow(connection, old)


def _found(row: Any) -> Fact:
    if row is None:
        raise NotFound("no such fact")
    return fact_of(row)


# The answer of a request is kept as it was: the fact may have changed when the request comes again.
_TIMES = ("create_time", "update_time")
_KEPT = ("id", "key", "value", "category", "importance", "origin", "run", "etag")


def _to_bytes(fact: Fact) -> bytes:
    kept = {name: getattr(fact, name) for name in _KEPT}
    return json.dumps(kept | {name: getattr(fact, name).isoformat() for name in _TIMES}).encode()


def _from_bytes(answer: bytes, owner: Owner) -> Fact:
    kept = json.loads(answer)
    kept |= {name: datetime.fromisoformat(kept[name]) for name in _TIMES}
    kept |= {"category": FactCategory(kept["category"]), "origin": FactOrigin(kept["origin"])}
    return Fact(owner=owner, **kept)
