"""Streams from a peer that are always closed.

A stream that is merely dropped goes on at the peer, and so does the model that it pays for. So a stream is only ever
read inside `open_stream`, which cancels the call on every way out:

    async with open_stream(agent.Execute(request), idle=30.0) as events:
        async for event in events:
            yield event
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from meshkit.errors import Unavailable

__all__ = ["ClientStream", "open_stream"]

Message = TypeVar("Message")
Received_co = TypeVar("Received_co", covariant=True)


class ClientStream(Protocol[Received_co]):
    """What a stub's streaming method returns."""

    def __aiter__(self) -> AsyncIterator[Received_co]:
        """Iterate over the messages."""
        ...

    def cancel(self) -> Any:
        """End the call; does nothing when it has ended."""
        ...


@asynccontextmanager
async def open_stream(
    call: ClientStream[Message], *, idle: float | None = None
) -> AsyncIterator[AsyncIterator[Message]]:
    """Give the messages of the call inside the block, and cancel the call when the block is left.

    `idle` is the longest silence in seconds, above the peer's heartbeat interval; a longer one raises Unavailable.
    """
    try:
        yield aiter(call) if idle is None else _watched(aiter(call), idle)
    finally:
        call.cancel()


async def _watched(messages: AsyncIterator[Message], idle: float) -> AsyncIterator[Message]:
    while True:
        try:
            async with asyncio.timeout(idle) as limit:
                message = await anext(messages)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Unavailable(f"the peer has been silent for {idle:g} s") from error
        yield message
