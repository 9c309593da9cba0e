"""The latest turns of a session, in Redis: a list per session, made from Postgres when it is asked for.

Owns the keys and what makes a list stale. A list is only ever made whole and dropped whole:

    read:  list there? ─► else watch the mark, read Postgres, write the list unless the mark moved meanwhile
    write: commit ─► move the mark, drop the list     (again through the outbox, should the process die in between)

A Redis that is down or slow costs a read of Postgres, and no more.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError, WatchError

from memory_service.domain.model import Interaction, Origin, Owner
from memory_service.domain.ports import InteractionStore
from meshkit.errors import Unavailable

__all__ = ["RedisRecent", "session_key"]

_TURNS = 20  # of a session; who asks for more is answered by Postgres
_LIST_BYTES = 256 * 1024  # a longer list is not kept: a few long talks must not fill the memory of all
_LIST_SECONDS = 3600
_MARK_SECONDS = 60  # longer than any read of Postgres takes


def session_key(owner: Owner, session: str, what: str) -> str:
    """Return the key of something about a session. Every part is quoted, so that no two owners ever share a key."""
    return ":".join(("t", quote(owner.tenant, safe=""), "u", quote(owner.user, safe=""), "s", session, what))


class RedisRecent:
    """`domain.ports.Recent` on Redis, with Postgres behind it."""

    def __init__(self, redis: Redis, turns: InteractionStore) -> None:
        self._redis, self._turns = redis, turns

    async def latest(self, owner: Owner, session: str, limit: int) -> Sequence[Interaction]:
        """Return the latest turns, newest first."""
        if limit > _TURNS:
            return (await self._turns.list(owner, session, None, limit)).items
        try:
            kept = await self._kept(owner, session, limit)
            if kept:
                return kept
            return (await self._make(owner, session))[:limit]
        except (RedisError, OSError):
            return (await self._turns.list(owner, session, None, limit)).items

    async def forget(self, owner: Owner, session: str) -> None:
        """Drop the list. Raises Unavailable."""
        mark = session_key(owner, session, "mark")
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.incr(mark)
                pipe.expire(mark, _MARK_SECONDS)
                pipe.delete(session_key(owner, session, "recent"))
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error

    async def _kept(self, owner: Owner, session: str, limit: int) -> list[Interaction]:
        lines = await self._redis.lrange(session_key(owner, session, "recent"), 0, limit - 1)
        return [_from_json(line, owner, session) for line in lines]

    async def _make(self, owner: Owner, session: str) -> Sequence[Interaction]:
        key = session_key(owner, session, "recent")
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(session_key(owner, session, "mark"))
            turns = (await self._turns.list(owner, session, None, _TURNS)).items
            lines = [_to_json(turn) for turn in turns]
            if turns and sum(map(len, lines)) <= _LIST_BYTES:
                pipe.multi()  # type: ignore[no-untyped-call]
                pipe.delete(key)
                pipe.rpush(key, *lines)
                pipe.expire(key, _LIST_SECONDS)
                with suppress(WatchError):  # a turn was stored while we read: the next reader makes the list
                    await pipe.execute()
        return turns


def _to_json(turn: Interaction) -> str:
    kept = asdict(turn) | {"create_time": turn.create_time.isoformat()}
    del kept["owner"], kept["session"]  # the key tells both, and nobody else may
    return json.dumps(kept)


def _from_json(line: bytes | str, owner: Owner, session: str) -> Interaction:
    kept = json.loads(line)
    kept["create_time"] = datetime.fromisoformat(kept["create_time"])
    kept["origin"] = Origin(kept["origin"]) if "origin" in kept else Origin.USER  # a list made by an older process
    return Interaction(owner=owner, session=session, **kept)
