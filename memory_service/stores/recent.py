"""The latest turns of a session, in Redis: a list per session, made from Postgres when it is asked for.

Owns the keys and when a list is believed. Every change of a session's turns changes its version, in the same
transaction (`session_version`); a list begins with the version it was made from:

    read:  ask Postgres for the version ─► list with this version? ─► else read Postgres, write the list

So Redis is never believed about what is new, whatever it lost, kept or missed, and no writer has to reach it. One that
is down or slow costs a read of Postgres, and no more.
"""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from memory_service.domain.model import Interaction, Origin, Owner
from memory_service.domain.ports import InteractionStore
from meshkit.errors import Unavailable

__all__ = ["RedisRecent", "session_key"]

_TURNS = 20  # of a session; who asks for more is answered by Postgres
_LIST_BYTES = 256 * 1024  # a longer list is not kept: a few long talks must not fill the memory of all
_LIST_SECONDS = 900
_AWAY_SECONDS = 1.0  # a Redis that did not answer is left alone: asking it would cost every reader its time limit


def session_key(owner: Owner, session: str, what: str) -> str:
    """Return the key of something about a session. Every part is quoted, so that no two owners ever share a key."""
    return ":".join((_owner_key(owner), "s", session, what))


def _sessions_key(owner: Owner) -> str:
    """Return the key of the set of sessions that have a list: what an erasure looks through."""
    return f"{_owner_key(owner)}:sessions"


def _owner_key(owner: Owner) -> str:
    return ":".join(("t", quote(owner.tenant, safe=""), "u", quote(owner.user, safe="")))


class RedisRecent:
    """`domain.ports.Recent` on Redis, with Postgres behind it."""

    def __init__(self, redis: Redis, turns: InteractionStore) -> None:
        self._redis, self._turns = redis, turns
        self._away_until = 0.0

    async def latest(self, owner: Owner, session: str, limit: int) -> Sequence[Interaction]:
        """Return the latest turns, newest first."""
        version = ""
        if limit <= _TURNS and time.monotonic() >= self._away_until:
            version = await self._turns.version(owner, session)
        if not version:
            return (await self._turns.list(owner, session, None, limit)).items
        try:
            kept = await self._kept(owner, session, version, limit)
        except (RedisError, OSError):
            self._away_until = time.monotonic() + _AWAY_SECONDS
            return (await self._turns.list(owner, session, None, limit)).items
        if kept is not None:
            return kept
        turns = (await self._turns.list(owner, session, None, _TURNS)).items
        try:
            await self._keep(owner, session, version, turns)
        except (RedisError, OSError):
            self._away_until = time.monotonic() + _AWAY_SECONDS
        return turns[:limit]

    async def forget(self, owner: Owner, session: str) -> None:
        """Drop the list: what was deleted must not stay, though nobody would be told of it. Raises Unavailable."""
        # The version before this one has a list of its own, and a mark that says that it changed.
        mark = session_key(owner, session, "mark")
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.incr(mark)
                pipe.expire(mark, 60)
                pipe.delete(session_key(owner, session, "recent"), session_key(owner, session, "turns"))
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error

    async def forget_owner(self, owner: Owner, sessions: Collection[str]) -> None:
        """Drop the lists of these sessions, and of whatever else is kept of the owner. Raises Unavailable."""
        for session in await self._sessions(owner) | set(sessions):
            await self.forget(owner, session)
        try:
            await self._redis.delete(_sessions_key(owner))
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error

    async def holds(self, owner: Owner, sessions: Collection[str]) -> bool:
        """Tell whether a list of one of these sessions, or of another of the owner's, is kept. Raises Unavailable."""
        kept = await self._sessions(owner) | set(sessions)
        if not kept:
            return False
        try:
            return bool(await self._redis.exists(*(session_key(owner, session, "turns") for session in kept)))
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error

    async def _sessions(self, owner: Owner) -> set[str]:
        try:
            found = await self._redis.smembers(_sessions_key(owner))
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error
        return {session.decode() if isinstance(session, bytes) else session for session in found}

    async def _kept(self, owner: Owner, session: str, version: str, limit: int) -> list[Interaction] | None:
        lines = await self._redis.lrange(session_key(owner, session, "turns"), 0, limit)
        if not lines or lines[0] != version.encode():
            return None
        return [_from_json(line, owner, session) for line in lines[1:]]

    async def _keep(self, owner: Owner, session: str, version: str, turns: Sequence[Interaction]) -> None:
        key = session_key(owner, session, "turns")
        lines = [_to_json(turn) for turn in turns]
        if not turns or sum(map(len, lines)) > _LIST_BYTES:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(key)
            pipe.rpush(key, version, *lines)
            pipe.expire(key, _LIST_SECONDS)
            pipe.sadd(_sessions_key(owner), session)
            pipe.expire(_sessions_key(owner), _LIST_SECONDS)
            await pipe.execute()
        # We may have slept since we read: what was deleted in the meantime must not stay, though nobody believes it.
        if await self._turns.version(owner, session) != version:
            await self._redis.delete(key)
            await self._redis.srem(_sessions_key(owner), session)


def _to_json(turn: Interaction) -> str:
    kept = asdict(turn) | {"create_time": turn.create_time.isoformat()}
    del kept["owner"], kept["session"]  # the key tells both, and nobody else may
    return json.dumps(kept)


def _from_json(line: bytes | str, owner: Owner, session: str) -> Interaction:
    kept = json.loads(line)
    kept["create_time"] = datetime.fromisoformat(kept["create_time"])
    kept["origin"] = Origin(kept["origin"])
    return Interaction(owner=owner, session=session, **kept)
