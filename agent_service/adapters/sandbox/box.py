"""Starts programs in the sandbox and ends them: a process of its own for each, which builds the sandbox around itself.

    here ─► `inside`, a stranger in new namespaces ─► its first process ─► the program

Owns the life of these processes as seen from outside, and how many there are.
"""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.errors import Unavailable

__all__ = ["SECONDS", "Ran", "Sandbox", "SandboxRefusedError"]

SECONDS = 20.0
"""The longest that a program runs."""
_PATIENCE_SECONDS = 30.0
"""When the supervisor inside, which should have ended the program, is given up."""
_UNWIND_SECONDS = 2.0
_MAX_BOXES = 4  # each may take half a GiB

_ROOT = Path(__file__).resolve().parents[3]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from agent_service.adapters.sandbox.inside import main;"
    " main(int(sys.argv[2]))"
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a program. A negative `exit_code` is the signal that ended it."""

    exit_code: int
    stopped: str
    """`time` or `memory` if it was ended for taking too much of that; else empty."""
    stdout: str
    stderr: str
    files: Mapping[str, bytes]
    """What it left in the folder `out`."""
    left_out: tuple[str, ...]
    """What it left there, and is too large, too much or no file."""


class SandboxRefusedError(Exception):
    """The machine gives no sandbox, so nothing was run; the message says what is missing."""


class Sandbox:
    """Runs programs, some at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_MAX_BOXES)
        self._python = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)

    async def run(self, program: str, files: Mapping[str, bytes]) -> Ran:
        """Run a Python program in a folder that holds these files. Raises SandboxRefusedError, Unavailable.

        Cancelling ends it with all its processes.
        """
        order = {
            "program": program,
            "files": {name: base64.b64encode(content).decode() for name, content in files.items()},
        }
        async with self._free:
            answer = await self._ask(json.dumps(order).encode())
        if "refused" in answer:
            raise SandboxRefusedError(answer["refused"])
        made = {name: base64.b64decode(content) for name, content in answer.pop("files").items()}
        return Ran(**answer | {"left_out": tuple(answer["left_out"])}, files=made)

    async def _ask(self, order: bytes) -> dict[str, Any]:
        try:
            process = await asyncio.create_subprocess_exec(
                self._python, "-I", "-S", "-B", "-c", _START, str(_ROOT), str(os.getpid()),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"no process can be started for the sandbox: {error.strerror}") from error
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer, complaint = await process.communicate(order)
        except TimeoutError:
            raise Unavailable("the sandbox does not answer") from None
        finally:
            if process.returncode is None:
                await asyncio.shield(_end(process))
        try:
            told: dict[str, Any] = json.loads(answer)
        except ValueError:
            words = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            raise Unavailable(f"the sandbox ended without an answer: {words[:200]}") from None
        return told


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process: it ends all that it started, or dies with it."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _UNWIND_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
