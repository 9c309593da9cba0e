"""Web sites of the outside world, over real sockets of this machine: each answers as a test says, byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Asked", "Site", "Wire", "page", "redirect", "site"]

Wire = Callable[[asyncio.StreamWriter], Awaitable[Any]]
"""Writes an answer; the connection is closed after it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came in."""

    target: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Site:
    """A site and what it was asked."""

    port: int = 0
    answers: dict[str, Wire] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A connection has ended."""

    def at(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"


def page(body: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> Wire:
    """Return an answer with this body."""
    content = body.encode() if isinstance(body, str) else body
    head = {"Content-Type": kind, "Content-Length": str(len(content)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items() if value)

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + content)
        await writer.drain()

    return write


def redirect(location: str, status: int = 302) -> Wire:
    """Return an answer that sends the reader elsewhere."""
    return page("", status=status, Location=location)


@asynccontextmanager
async def site(answers: Mapping[str, Wire], *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """Serve these answers by path, without the query; another path is not found."""
    served = Site(answers=dict(answers))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            target = head[0].split(" ")[1]
            fields = (line.partition(": ") for line in head[1:] if line)
            served.asked.append(Asked(target, {name.lower(): value for name, _, value in fields}))
            await served.answers.get(target.partition("?")[0], page("nothing", status=404))(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            served.left.set()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served
