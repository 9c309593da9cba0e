"""One part of a running mesh: a program that is started, watched and, if it ends by itself, started again.

Owns the restart rule. Knows no program: it is given a coroutine that starts one and returns when it is ready.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from meshctl.console import err, tell
from meshctl.embedded.process import Child
from meshkit.errors import MeshError

__all__ = ["Part", "Started"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_STEADY_SECONDS = 60.0  # a part that ran this long has earned a quick restart again


@dataclass(frozen=True, slots=True)
class Started:
    """A program that is ready, and where it listens: `host:port`."""

    child: Child
    address: str


class Part:
    """A program under watch."""

    def __init__(self, name: str, start: Callable[[], Awaitable[Started]]) -> None:
        self.name = name
        self.address = ""
        self.starts = 0
        self._start = start
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 while it is being started."""
        return self._child.pid if self._child is not None and self._child.running else 0

    async def start(self, changed: Callable[[], None]) -> None:
        """Start the program and return once it is ready; `changed` is called at every restart. Raises MeshError."""
        child = await self._begin()
        self._watch = asyncio.create_task(self._keep(child, changed), name=f"watch {self.name}")

    async def stop(self, timeout: float = 45.0) -> None:  # noqa: ASYNC109 - see Child.stop
        """Stop watching, then stop the program."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._child is not None:
            await self._child.stop(timeout)

    async def _keep(self, child: Child, changed: Callable[[], None]) -> None:
        pause, started = _FIRST_PAUSE, time.monotonic()
        while True:
            status = await child.wait()
            if time.monotonic() - started > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            tell(f"{self.name} ended with status {status}; starting it again")
            await asyncio.sleep(pause)
            pause, started = min(2 * pause, _LONGEST_PAUSE), time.monotonic()
            try:
                child = await self._begin()
            except (MeshError, OSError) as error:
                err.print(f"mesh: {error}")
                continue
            changed()

    async def _begin(self) -> Child:
        started = await self._start()
        self._child, self.address = started.child, started.address
        self.starts += 1
        return started.child
