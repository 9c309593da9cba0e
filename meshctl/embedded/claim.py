"""The claim of a running program on its directory: one at a time, released exactly when its last process ends.

Owns the lock file. The lock belongs to an open file that the program inherits, so it outlives a killed parent for as
long as the program itself does, and no power loss, container or reused process id can make it lie.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from meshkit.errors import FailedPrecondition

__all__ = ["claim"]


@contextlib.asynccontextmanager
async def claim(file: Path, name: str, *, patience: float) -> AsyncIterator[int]:
    """Yield the descriptor of the locked `file`; hand it to the program, which then holds the claim on its own.

    Waits up to `patience` seconds, because a program whose parent has just died may still be writing its last page.
    Raises FailedPrecondition if it is still running after that: `name` and the directory are in the message.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            async with asyncio.timeout(patience):
                while not _locked(descriptor):  # noqa: ASYNC110 - a file lock tells nobody
                    await asyncio.sleep(0.05)
        except TimeoutError:
            message = f"{name} is already running on {file.parent}; stop that mesh first, or choose another directory"
            raise FailedPrecondition(message) from None
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
