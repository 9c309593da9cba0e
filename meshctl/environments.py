"""The Python environments of the mesh: made by uv from hashed locks, and made again when a lock changes.

Owns `.venv*` in the project. Standard library only: the bootstrap imports it before anything is installed.
One environment per framework, since their dependencies conflict; `dev` adds the tests' tools to the main one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENVIRONMENTS", "LOCKS", "ROOT", "SetupError", "ensure", "installed"]

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder."""

LOCKS = ROOT / "locks"

_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class SetupError(Exception):
    """An environment cannot be made. The message says what is missing and how to get it."""


@dataclass(frozen=True)
class Environment:
    """One environment: its folder, its locks (each a superset of the one before), and whether it holds our code."""

    folder: str
    locks: tuple[str, ...]
    editable: bool = True


ENVIRONMENTS = {
    "mesh": Environment(".venv", ("mesh",)),
    "dev": Environment(".venv", ("mesh", "dev")),
    "gen": Environment(".venv-gen", ("gen",), editable=False),
    "langchain": Environment(".venv-langchain", ("langchain",)),
    "autogen": Environment(".venv-autogen", ("autogen",)),
    "crewai": Environment(".venv-crewai", ("crewai",)),
    "llamaindex": Environment(".venv-llamaindex", ("llamaindex",)),
}

_UV = Environment(".venv-uv", ("uv",), editable=False)


def ensure(name: str, tell: Callable[[str], None] = lambda text: None) -> Path:
    """Return the Python of an environment, after making it if it is missing or its lock has changed.

    `tell` is called with one line before anything that takes long. Safe to call from several processes at once.
    Raises SetupError.
    """
    environment = ENVIRONMENTS[name]
    python = ROOT / environment.folder / "bin" / "python"
    if installed(name):
        return python
    with _alone(environment):
        if not installed(name):
            tell(f"setting up the {name} environment (once; about a minute)")
            _make(environment, python)
    return python


def installed(name: str) -> bool:
    """Tell whether an environment is there and as its lock says."""
    environment = ENVIRONMENTS[name]
    stamps = _stamps(environment)
    return bool(stamps) and _digest(environment.locks[-1]) in stamps


def _make(environment: Environment, python: Path) -> None:
    stamps = [_digest(name) for name in environment.locks]
    with _alone(_UV):
        uv = _uv()
    if not python.exists():
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(ROOT / environment.folder))
    _stamp_file(environment).unlink(missing_ok=True)
    lock = LOCKS / f"{environment.locks[-1]}.lock"
    _run(uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock))
    if environment.editable:
        flags = ("--quiet", "--no-deps", "--no-build-isolation")
        _run(uv, "pip", "install", *flags, "--python", str(python), "--editable", str(ROOT))
    _stamp_file(environment).write_text("\n".join(stamps))


def _uv() -> Path:
    """Return a pinned uv, installed with the interpreter's own pip."""
    uv = ROOT / _UV.folder / "bin" / "uv"
    if _digest("uv") in _stamps(_UV) and uv.exists():
        return uv
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(ROOT / _UV.folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        on_path = shutil.which("uv")
        if on_path:
            return Path(on_path)
        raise SetupError(
            "this Python cannot make virtual environments. On Debian: apt-get install python3-venv; or install uv"
        )
    pip = str(ROOT / _UV.folder / "bin" / "pip")
    flags = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
    _run(Path(pip), "install", *flags, "--requirement", str(LOCKS / "uv.lock"))
    _stamp_file(_UV).write_text(_digest("uv"))
    return uv


def _run(program: Path, *arguments: str) -> None:
    # uv must use this machine's Python, and must not fail where the cache is on another file system.
    environment = {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1"}
    if _AUTHORITIES.exists():
        environment["UV_SYSTEM_CERTS"] = "1"  # a company's own proxy is known to the machine, not to uv
    environment = os.environ | environment
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    if done.returncode:
        raise SetupError(f"{program.name} {arguments[0]} failed:\n{(done.stderr or done.stdout).strip()[-4000:]}")


def _stamps(environment: Environment) -> set[str]:
    try:
        return set(_stamp_file(environment).read_text().split("\n"))
    except OSError:
        return set()


def _stamp_file(environment: Environment) -> Path:
    return ROOT / environment.folder / ".installed"


def _digest(lock: str) -> str:
    """Identify what is to be installed: the lock, the interpreter, and where the project lies (an editable install)."""
    file = LOCKS / f"{lock}.lock"
    if not file.exists():
        raise SetupError(f"{file} is missing: this command runs from a checkout of the project")
    contents = file.read_bytes()
    return hashlib.sha256(contents + f"{sys.version_info[:2]} {ROOT}".encode()).hexdigest()


@contextmanager
def _alone(environment: Environment) -> Iterator[None]:
    """Hold one environment, so that others can be made at the same time."""
    with (ROOT / f"{environment.folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
