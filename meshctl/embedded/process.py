"""Child processes that end with their parent, even when the parent is killed with SIGKILL.

Owns starting, waiting for and stopping a child. Knows no program. Linux 5.3 or newer.

The kernel sends a child its `death_signal` when the *thread* that started it ends, hence the main thread only. Each
child leads a session of its own: a Ctrl-C in the terminal reaches the parent alone, which then stops its children in
the order that loses nothing.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from meshkit.errors import Unavailable

__all__ = ["Account", "Child", "log_tail", "spawn", "until_ready"]

_LAUNCHER = Path(__file__).with_name("launch.py")
_LOG_BYTES = 16 * 1024 * 1024  # a log larger than this is put aside at the next start, replacing the one before it


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group a child runs as."""

    uid: int
    gid: int


class Child:
    """A running program. Make one with `spawn`."""

    def __init__(self, process: "subprocess.Popen[bytes]", stop_signal: signal.Signals, log: Path) -> None:
        self._process = process
        self._stop_signal = stop_signal
        self.log = log

    @property
    def pid(self) -> int:
        """The process id of the program itself."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    async def wait(self) -> int:
        """Return the exit status once the program has ended; below zero, it is the signal that ended it."""
        while (status := self._process.poll()) is None:
            await _until_ended(self.pid)
        return status

    async def stop(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109 - what happens at the limit is ours: kill
        """Ask the program to end, kill it after `timeout` seconds, and return its exit status. May be repeated."""
        if self.running:
            self._process.send_signal(self._stop_signal)
        try:
            return await asyncio.wait_for(self.wait(), timeout)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # its own session, so its group too: what it started goes with it
            return await self.wait()


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    death_signal: signal.Signals = signal.SIGTERM,
    stop_signal: signal.Signals | None = None,
    account: Account | None = None,
    keep_open: Sequence[int] = (),
) -> Child:
    """Start a program that gets exactly `env`, appends what it prints to `log`, and reads nothing.

    `argv` begins with the program's absolute path. `death_signal` is sent by the kernel when the parent ends,
    `stop_signal` (default: the same) by `Child.stop`. `account` needs root; without it the program runs as the parent
    does. `keep_open` are file descriptors it inherits under the same numbers.
    A program that cannot be executed ends at once with a status above zero, and its log says why.

    Raises RuntimeError outside the main thread, OSError if `cwd` or `log` cannot be used.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child dies with the thread that started it: start it from the main thread")
    who = f"{account.uid}:{account.gid}" if account else "-"
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal)), who]
    with _open_log(log) as output:
        process = subprocess.Popen(
            [*launcher, *map(str, argv)],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep_open,
            umask=0o077,
        )
    return Child(process, stop_signal or death_signal, log)


async def until_ready(child: Child, name: str, probe: Callable[[], Awaitable[bool]], *, patience: float = 30.0) -> None:
    """Return once `probe` says True; it is asked every 20 ms, and says False while the program is still starting.

    Raises Unavailable with the end of the log if the program ends or takes longer than `patience` seconds. Whenever
    this raises, the child has been stopped.
    """
    try:
        async with asyncio.timeout(patience):
            while child.running:
                if await probe():
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        await child.stop()
        raise Unavailable(f"{name} was not ready within {patience:g} s:\n{log_tail(child.log)}") from None
    except BaseException:
        await child.stop()
        raise
    raise Unavailable(f"{name} ended at its start (status {await child.wait()}):\n{log_tail(child.log)}")


def log_tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a child's log, for the message of an error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


async def _until_ended(pid: int) -> None:
    """Wait for a process without a thread: its pidfd becomes readable when it ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(pid)
    try:
        loop.add_reader(descriptor, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _open_log(log: Path) -> BinaryIO:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name(log.name + ".old"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
