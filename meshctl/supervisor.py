"""Runs a whole mesh on this machine: stores, services, edge, in the order in which they need each other.

Owns that order, both ways, and the run file. What the parts are is told by `meshctl.assembly`.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from meshctl.parts import Part
from meshctl.state import PartStatus, RunFile, State

__all__ = ["running_mesh", "until_signal"]


class _Board:
    """What other commands see of the mesh."""

    def __init__(self, state: State, address: str) -> None:
        self._state, self._address = state, address
        self._parts: list[Part] = []
        self._serving = False

    def add(self, parts: Sequence[Part]) -> None:
        self._parts.extend(parts)
        self.show()

    def serving(self) -> None:
        self._serving = True
        self.show()

    def show(self) -> None:
        parts = [PartStatus(part.name, part.pid, part.address, part.starts) for part in self._parts]
        doing = "" if self._serving else ", ".join(part.name for part in self._parts if part.pid == 0)
        self._state.write_run_file(
            RunFile(pid=os.getpid(), serving=self._serving, address=self._address, doing=doing, parts=parts)
        )


@asynccontextmanager
async def running_mesh(state: State, address: str, stages: AsyncIterator[Sequence[Part]]) -> AsyncIterator[list[Part]]:
    """Start the stages one after the other, the parts of a stage together; stop them in reverse at the end.

    Yields the parts once all are ready. Raises MeshError if one cannot be started; those before it are stopped.
    """
    board = _Board(state, address)
    begun: list[Sequence[Part]] = []
    try:
        async for stage in stages:
            begun.append(stage)
            board.add(stage)
            await _together([part.start(board.show) for part in stage])
        board.serving()
        yield [part for stage in begun for part in stage]
    finally:
        for stage in reversed(begun):
            await asyncio.gather(*(part.stop() for part in stage))


async def until_signal() -> None:
    """Return at the first SIGINT, SIGTERM or SIGHUP."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _together(starts: list[object]) -> None:
    """Wait for all; if one fails, the others are still waited for, so that each part knows whether it runs."""
    results = await asyncio.gather(*starts, return_exceptions=True)  # type: ignore[call-overload]
    for result in results:
        if isinstance(result, BaseException):
            raise result
