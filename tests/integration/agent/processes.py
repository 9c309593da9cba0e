"""Which processes another one has started, as the kernel tells it."""

import asyncio
from pathlib import Path


def descendants(ancestor: int) -> set[int]:
    """Return all processes below one, dead ones that nobody buried included."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {ancestor, *found}} - found:
        found |= more
    return found


async def until_there_are(count: int, ancestor: int, before: frozenset[int] | set[int] = frozenset()) -> set[int]:
    async with asyncio.timeout(20):
        while len(found := descendants(ancestor) - before) != count:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
    return found


async def until_gone(processes: set[int]) -> None:
    async with asyncio.timeout(10):
        while any(Path(f"/proc/{pid}").exists() for pid in processes):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
