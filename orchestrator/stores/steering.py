"""What was said to runs, in Postgres: stored once, with the event that tells it."""

from meshkit.sql import idempotency
from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.events import StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Run
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.steering import next_steer
from orchestrator.domain.storage import RequestKey
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.rows import request_of
from orchestrator.stores.telling import announce, lock_run, tell
from orchestrator.stores.wakeups import Wakeups

__all__ = ["PostgresSteering"]

_SAID = "select coalesce(max(number), 0) from steering where run = $1"
_INSERT = "insert into steering (run, number, text, user_id, create_time) values ($1, $2, $3, $4, now())"


class PostgresSteering:
    """`domain.steering.SteerStore` on Postgres; tells the feed and the other processes."""

    def __init__(self, pool: Pool, codec: EventCodec, feed: Feed, wakeups: Wakeups) -> None:
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups

    async def add(self, key: RequestKey, viewer: Viewer, run: str, text: str, user: str) -> None:
        """Keep what was said, once for the key."""
        told: list[tuple[Run, StoredEvent]] = []

        async def effect(connection: Connection) -> bytes:
            locked = await lock_run(connection, run, viewer)
            steer = next_steer(locked, await connection.fetchval(_SAID, run), text, user)
            await connection.execute(_INSERT, run, steer.number, steer.text, steer.user)
            told.append((locked, await tell(connection, run, self._codec.steered(steer, locked.trace_id))))
            return b""

        await idempotency.once(self._pool, request_of(key), key.digest, effect)
        for locked, event in told:
            announce(self._feed, self._wakeups, locked, [event])
