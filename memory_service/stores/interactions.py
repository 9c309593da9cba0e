"""Turns in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from memory_service.domain.model import Interaction, Origin, Owner
from memory_service.domain.ports import MAX_ANSWER_BYTES, RequestKey, Rows
from memory_service.stores.rows import QUERIES, interaction_of, must_follow, page_of, put_words, request_of
from meshkit.errors import NotFound
from meshkit.failpoints import failpoint
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool

__all__ = ["PostgresInteractions"]


class PostgresInteractions:
    """`domain.ports.InteractionStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, key: RequestKey, turn: Interaction) -> Interaction:
        """Store the turn with its words and what must follow, once for the key."""
        owner = turn.owner

        async def effect(connection: Connection) -> bytes:
            await connection.execute(
                QUERIES["add_interaction"], owner.tenant, owner.user, turn.id, turn.session, turn.run, turn.agent,
                turn.input, turn.output, dict(turn.labels), turn.create_time, turn.speaker, turn.origin, turn.source,
            )  # fmt: skip
            await put_words(connection, turn)
            await must_follow(connection, turn)
            if turn.origin is Origin.USER:
                await connection.execute(
                    QUERIES["must_be_looked_through"], owner.tenant, owner.user, turn.id, turn.session
                )
            return turn.id.encode()  # not the whole: a turn never changes, so it can be read again

        stored = (await idempotency.once(self._pool, request_of(owner, key), key.digest, effect)).decode()
        await failpoint("memory.write.after_pg_before_outbox")
        if stored == turn.id:
            return turn
        try:
            return (await self.load(owner, [stored]))[stored]
        except KeyError:
            raise NotFound("the turn that this request stored is gone") from None

    async def list(
        self, owner: Owner, session: str, before: tuple[datetime, str] | None, limit: int
    ) -> Rows[Interaction]:
        """Return turns newest first, and whether there are more."""
        place = (*(before or (None, "")), limit + 1, MAX_ANSWER_BYTES)
        with driver_errors():
            if session:
                rows = await self._pool.fetch(QUERIES["list_interactions"], owner.tenant, owner.user, session, *place)
            else:
                rows = await self._pool.fetch(QUERIES["list_all_interactions"], owner.tenant, owner.user, *place)
        return page_of(rows, limit, interaction_of)

    async def version(self, owner: Owner, session: str) -> str:
        """Return what changes with every change of the session's turns."""
        with driver_errors():
            found: str | None = await self._pool.fetchval(QUERIES["session_version"], owner.tenant, owner.user, session)
        return found or ""

    async def load(
        self, owner: Owner, ids: Sequence[str], *, largest: int = MAX_ANSWER_BYTES
    ) -> Mapping[str, Interaction]:
        """Return the owner's turns among the ids."""
        if not ids:
            return {}
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["load_interactions"], owner.tenant, owner.user, ids, largest, MAX_ANSWER_BYTES
            )
        return {row["id"]: interaction_of(row) for row in rows}
