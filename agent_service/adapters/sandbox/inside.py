"""The supervisor inside the sandbox: takes an order, runs it, gives back what it brought.

It reads one JSON object from its input, `{"program": text, "files": {name: base64}}`, and writes one to its output:
what `box.Ran` holds, or `{"refused": why}` if the sandbox cannot be had. It imports the standard library alone.
"""

import base64
import json
import os
import selectors
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent_service.adapters.sandbox import jail, kernel

__all__ = ["main"]

_SECONDS = 20.0
_MEMORY_KIB = 512 * 1024  # of all processes together
_LOOK_SECONDS = 0.1
_MAX_OUTPUT = 64 * 1024  # bytes of each stream
_MAX_FILES, _MAX_FILE_BYTES = 8, 2 * 1024 * 1024
_PYTHON_OPTIONS = ("-I", "-S", "-B", "-u", "-X", "utf8")


def main(parent: int) -> None:
    """Run the order; `parent` is the process that gave it."""
    order = json.load(sys.stdin)
    signals = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        jail.leave_the_mesh()
        kernel.die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            return
        first = os.fork()
    except OSError as error:
        _give({"refused": str(error)})
        return
    if first == 0:
        kernel.die_with_parent(signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        _give(_supervised(order))
        os._exit(0)
    if signal.sigwait(signals) == signal.SIGTERM:
        os.kill(first, signal.SIGKILL)  # and with it all in its namespace
    os.waitpid(first, 0)


def _supervised(order: dict[str, Any]) -> dict[str, Any]:
    files = {name: base64.b64decode(content) for name, content in order["files"].items()}
    try:
        processes = jail.move_in(order["program"].encode(errors="replace"), files)
        streams = [os.pipe(), os.pipe(), os.pipe()]
        program = os.fork()
    except OSError as error:
        return {"refused": str(error)}
    if program == 0:
        _become_the_program(*(write for _, write in streams))
    for _, write in streams:
        os.close(write)
    with os.fdopen(streams[2][0], "rb") as failure:  # it shuts when the program starts
        if why := failure.read():
            return {"refused": why.decode()}
    outputs = [_Output(read) for read, _ in streams[:2]]
    exit_code, stopped = _watch(program, outputs, processes)
    made, left_out = _collected()
    return {
        "exit_code": exit_code,
        "stopped": stopped,
        "stdout": outputs[0].text(),
        "stderr": outputs[1].text(),
        "files": made,
        "left_out": left_out,
    }


def _become_the_program(stdout: int, stderr: int, failure: int) -> None:
    try:
        for number, stream in enumerate((os.open("/dev/null", os.O_RDONLY), stdout, stderr)):
            os.dup2(stream, number)
        jail.confine()
        python = os.path.realpath(sys.executable)
        os.execve(python, [python, *_PYTHON_OPTIONS, str(jail.PROGRAM)], {"HOME": str(jail.WORK), "LC_ALL": "C.UTF-8"})
    except OSError as error:
        os.write(failure, str(error).encode())
    finally:
        os._exit(1)


class _Output:
    """One stream of the program: its beginning is kept, the rest is read and forgotten."""

    def __init__(self, stream: int) -> None:
        os.set_blocking(stream, False)
        self.stream, self._kept, self._cut = stream, bytearray(), False

    def read(self) -> bool:
        """Take what there is; False at the end."""
        try:
            piece = os.read(self.stream, 65536)
        except BlockingIOError:
            return True
        room = _MAX_OUTPUT - len(self._kept)
        self._kept += piece[:room]
        self._cut = self._cut or len(piece) > room
        return bool(piece)

    def text(self) -> str:
        return self._kept.decode(errors="replace") + ("\n[the rest was left out]" if self._cut else "")


def _watch(program: int, outputs: list[_Output], processes: int) -> tuple[int, str]:
    """Wait for the program's end, or end it. Returns its exit code, and why it was ended."""
    late, stopped, ended = time.monotonic() + _SECONDS, "", os.pidfd_open(program)
    next_look = 0.0
    with selectors.DefaultSelector() as streams:
        streams.register(ended, selectors.EVENT_READ)
        for output in outputs:
            streams.register(output.stream, selectors.EVENT_READ, output)
        while not stopped:
            ready = [key for key, _ in streams.select(_LOOK_SECONDS)]
            for key in ready:
                if key.data and not key.data.read():
                    streams.unregister(key.fileobj)
            if any(key.fd == ended for key in ready):
                break
            if (now := time.monotonic()) < next_look:
                continue
            next_look = now + _LOOK_SECONDS
            _bury(program)
            if now > late:
                stopped = "time"
            elif _memory(processes) > _MEMORY_KIB:
                stopped = "memory"
    exit_code = _end_all(program)
    for output in outputs:
        while output.read():
            pass
    return exit_code, stopped


def _bury(program: int) -> None:
    """Take the status of what the program left behind and what has ended; the program's own stays."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while (dead := os.waitid(os.P_ALL, 0, options)) and dead.si_pid != program:
        os.waitpid(dead.si_pid, 0)


def _end_all(program: int) -> int:
    """Kill and bury all other processes of the namespace. Returns the program's exit code, negative for a signal."""
    status = 0
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            dead, how = os.waitpid(-1, 0)
        except ChildProcessError:
            return os.waitstatus_to_exitcode(status)
        if dead == program:
            status = how


def _memory(processes: int) -> int:
    """Return what all processes hold together, in KiB; what they share counts once."""
    total = 0
    for name in os.listdir(processes):
        if not name.isdecimal() or name == "1":
            continue
        try:
            with os.fdopen(os.open(f"{name}/smaps_rollup", os.O_RDONLY, dir_fd=processes)) as told:
                total += sum(int(line.split()[1]) for line in told if line.startswith(("Pss:", "SwapPss:")))
        except OSError:  # it has ended
            continue
    return total


def _collected() -> tuple[dict[str, str], list[str]]:
    """Return the files in `out`, and the names of those that are too many, too large or no files."""
    made: dict[str, str] = {}
    left_out: list[str] = []
    for path in sorted(jail.OUT.iterdir()) if jail.OUT.is_dir() else ():
        content = _content(path) if len(made) < _MAX_FILES else None
        if content is None:
            left_out.append(path.name)
        else:
            made[path.name] = base64.b64encode(content).decode()
    return made, left_out[:_MAX_FILES]


def _content(path: Path) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        told = os.fstat(file)
        if not stat.S_ISREG(told.st_mode) or told.st_size > _MAX_FILE_BYTES:
            return None
        return opened.read(_MAX_FILE_BYTES)


def _give(answer: dict[str, Any]) -> None:
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
