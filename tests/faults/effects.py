"""What tools do to the world: a small HTTP server in the test's own process that notes every effect."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a tool did: which tool, for which call of which run, under which key, when (`time.monotonic`)."""

    tool: str
    call: str
    key: str
    time: float


class Effects:
    """All of them, by call."""

    def __init__(self) -> None:
        self.url = ""
        self.by_call: dict[str, list[Effect]] = defaultdict(list)

    def of(self, run: str) -> dict[str, list[Effect]]:
        """Return the effects of the calls whose names begin with these words."""
        return {call: effects for call, effects in self.by_call.items() if call.startswith(f"{run}:")}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        told = json.loads(await reader.readexactly(length))
        effect = Effect(told["tool"], told["call"], told["key"], time.monotonic())
        self.by_call[effect.call].append(effect)
        answer = f"did {effect.call}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()
        writer.close()

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator["Effects"]:
        """Listen on a free port of the loopback."""
        effects = cls()
        server = await asyncio.start_server(effects._serve, "127.0.0.1", 0)
        effects.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield effects
