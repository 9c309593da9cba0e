"""A Postgres data directory: made once, checked before every start.

Owns `initdb`, the version check and the left-over pid file. It neither starts the server nor connects to it; the caller
holds the claim on the directory (`claim.py`).
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from meshctl.embedded.kept import write_private
from meshctl.embedded.placement import Placement
from meshctl.embedded.process import log_tail, spawn
from meshkit.errors import FailedPrecondition, Unavailable

__all__ = ["ENVIRONMENT", "prepare"]

ENVIRONMENT: Mapping[str, str] = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
"""All that the programs of Postgres get to see of an environment."""


async def prepare(placement: Placement, admin_password: str, log: Path, lock: int) -> None:
    """Make the data directory if there is none, and make sure that the server can start on the one there is.

    `lock` is the descriptor of the claim; `initdb` inherits it.
    Raises FailedPrecondition if it was made by another major version, Unavailable if `initdb` fails.
    """
    if not placement.data.exists():
        await _make(placement, admin_password, log, lock)
        return
    if (found := _major(placement.data)) != (ours := _program_major(placement.programs)):
        raise FailedPrecondition(
            f"{placement.data} holds data of Postgres {found}, but this mesh brings Postgres {ours}: "
            "dump it with the old version, or choose another state directory"
        )
    _remove_stale_pid_file(placement.data)


async def _make(placement: Placement, admin_password: str, log: Path, lock: int) -> None:
    """Run `initdb` in a draft directory and rename it at the end, so that a half-made one is never taken for data."""
    home, account = placement.home, placement.account
    for left_over in home.glob(".draft-*"):
        shutil.rmtree(left_over)
    draft = home / f".draft-{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    password_file = draft / "password"
    write_private(password_file, admin_password)
    if account:
        os.chown(draft, account.uid, account.gid)
        os.chown(password_file, account.uid, account.gid)
    options = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]
    argv: list[str | Path] = [
        placement.programs / "initdb",
        *options,
        f"--pwfile={password_file}",
        "--no-instructions",
        draft / "data",
    ]
    child = spawn(
        argv,
        env=ENVIRONMENT,
        cwd=draft,
        log=log,
        death_signal=signal.SIGKILL,  # a draft needs no good end
        account=account,
        keep_open=(lock,),
    )
    try:
        status = await child.wait()
    except BaseException:
        await child.stop()
        raise
    if status != 0:
        raise Unavailable(f"initdb failed (status {status}):\n{log_tail(log)}")
    (draft / "data").rename(placement.data)
    shutil.rmtree(draft)
    _sync(home)


def _major(data: Path) -> str:
    try:
        return (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise FailedPrecondition(f"{data} is not a Postgres data directory: PG_VERSION is missing") from None


def _program_major(programs: Path) -> str:
    answer = subprocess.run(
        [programs / "postgres", "--version"], env=ENVIRONMENT, capture_output=True, check=True, timeout=30
    )
    return answer.stdout.decode().rsplit(maxsplit=1)[-1].split(".")[0]  # "postgres (PostgreSQL) 18.6"


def _remove_stale_pid_file(data: Path) -> None:
    """Remove what a power loss leaves: Postgres would refuse to start if the process id in it is in use again.

    Safe because the claim is held: no server of ours runs here. One that a person started by hand sits in this
    directory (every process of Postgres does), and its file stays.
    """
    pid_file = data / "postmaster.pid"
    try:
        owner = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        owner = 0
    try:
        in_use = owner > 0 and Path(f"/proc/{owner}/cwd").samefile(data)
    except OSError:
        in_use = False
    if not in_use:
        pid_file.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
