"""What the kernel says about processes, for tests that ask who still runs and what is visible of them."""

import os
import select
from contextlib import suppress
from pathlib import Path


def gone(pid: int, within: float) -> bool:
    """Wait until the process has ended, without asking again and again; False if it still runs after that."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], within)[0])
    finally:
        os.close(descriptor)


def inside(directory: Path) -> list[int]:
    """Return the processes whose working directory is `directory`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").samefile(directory):
                found.append(int(process.name))
    return found


def showing(text: str) -> list[str]:
    """Return the command lines and environments, of all processes, that hold `text`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                if text.encode() in (process / name).read_bytes():
                    found.append(f"{process.name}/{name}")
    return found
