"""How processes wake each other: Redis says that a run has news, and a poll of Postgres says it if Redis does not.

Owns the channel names and the two loops. Nothing but positions travels, and nothing depends on them: what a message
loses, the poll finds within a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from meshkit.background import running
from meshkit.errors import MeshError
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import RunState

__all__ = ["Positions", "Wakeups", "channel_of"]

POLL_SECONDS = 1.0

Positions = Callable[[Sequence[str]], Awaitable[dict[str, tuple[int, RunState]]]]
"""Asks Postgres how far runs are; see `PostgresRuns.positions`."""

_PREFIX = "mesh:run:"
_ALWAYS = "mesh:runs"  # a connection that listens to nothing is none
_RETRY_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class Wakeups:
    """Publishes what this process commits, and listens for what others commit in runs that are watched here."""

    def __init__(self, redis: Redis, feed: Feed) -> None:
        self._redis, self._feed = redis, feed
        # The newest position of each run not yet published: bounded by the runs that this process executes.
        self._outgoing: dict[str, str] = {}
        self._pending = asyncio.Event()

    def publish(self, tenant: str, run: str, sequence: int, state: RunState) -> None:
        """Tell the others, soon; a newer position replaces one that still waits."""
        self._outgoing[channel_of(tenant, run)] = f"{sequence} {state.value}"
        self._pending.set()

    async def keep_publishing(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            await self._pending.wait()
            self._pending.clear()
            outgoing, self._outgoing = self._outgoing, {}
            try:
                pipeline = self._redis.pipeline(transaction=False)
                for channel, position in outgoing.items():
                    pipeline.publish(channel, position)
                await pipeline.execute()
            except (RedisError, OSError) as error:
                _log.warning("wakeups_not_published", error=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def keep_listening(self) -> None:
        """Take in what others publish, until cancelled."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as listener:
                    await listener.subscribe(_ALWAYS)
                    await self._listen(listener)
            except (RedisError, OSError) as error:
                _log.warning("wakeups_not_heard", error=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def keep_polling(self, positions: Positions, interval: float = POLL_SECONDS) -> None:
        """Ask Postgres about everything that is watched here, until cancelled: one small query for all."""
        while True:
            await asyncio.sleep(interval)
            watched = self._feed.watched()
            if not watched:
                continue
            try:
                found = await positions([watch.run for watch in watched])
            except MeshError as error:
                _log.warning("positions_not_polled", reason=error.message)
                continue
            for watch in watched:
                if watch.run in found:
                    watch.announce(*found[watch.run])
                else:
                    watch.vanish()

    async def _listen(self, listener: PubSub) -> None:
        async with running(self._keep_subscribed(listener)) as (subscriber,):
            while not subscriber.done():
                message = await listener.get_message(timeout=_RETRY_SECONDS)
                if message is not None:
                    self._take_in(message)

    async def _keep_subscribed(self, listener: PubSub) -> None:
        """Listen to the channels of the runs that are watched here, and to no others."""
        heard: set[str] = set()
        with suppress(RedisError, OSError):  # then the listener ends, and begins anew
            while True:
                self._feed.changed.clear()
                wanted = {channel_of(watch.tenant, watch.run) for watch in self._feed.watched()}
                if added := wanted - heard:
                    await listener.subscribe(*added)
                if removed := heard - wanted:
                    await listener.unsubscribe(*removed)
                heard = wanted
                await self._feed.changed.wait()

    def _take_in(self, message: dict[str, bytes | str]) -> None:
        tenant, _, run = _text(message["channel"]).removeprefix(_PREFIX).rpartition(":")
        sequence, _, state = _text(message["data"]).partition(" ")
        if sequence.isdecimal() and state in RunState.__members__:
            self._feed.announce(tenant, run, int(sequence), RunState(state))


def channel_of(tenant: str, run: str) -> str:
    """Return the name of the channel that tells of a run."""
    return f"{_PREFIX}{tenant}:{run}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
