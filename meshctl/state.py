"""A mesh's state directory: where its keys, stores, logs and run file lie. Several meshes live in several directories.

Owns the paths, the claim of the one `mesh up` that may run on a directory, and the run file that tells the other
commands where the mesh is.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from meshctl.environments import ROOT
from meshkit.errors import FailedPrecondition, NotFound

__all__ = ["PartStatus", "RunFile", "State", "StateOption"]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One process of a running mesh. `address` is `host:port`; `starts` counts how often it was started."""

    name: str
    pid: int
    address: str
    starts: int


@dataclass(frozen=True, slots=True)
class RunFile:
    """What a running mesh tells: its own pid, whether it serves yet, its front door, and its parts."""

    pid: int
    serving: bool
    address: str
    doing: str = ""
    parts: list[PartStatus] = field(default_factory=list)


class State:
    """The files of one mesh below `root`, which is made with mode 0711 if it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.logs = self.root / "logs"
        self.cache = self.root / "cache"
        self.ports = self.root / "ports"
        self.user_keys = self.root / "keys" / "users"
        self.internal_keys = self.root / "keys" / "internal"
        self.api_keys = self.root / "keys" / "api-keys.json"
        self._lock = self.root / "lock"
        self._run_file = self.root / "mesh.json"

    def create(self) -> None:
        """Make the directories."""
        with _said(self.root):
            self._make()

    def _make(self) -> None:
        for directory in (self.root, self.logs, self.cache, self.ports, self.user_keys, self.internal_keys):
            directory.mkdir(parents=True, exist_ok=True)
        # Postgres runs under an account of its own and passes through; whatever is secret below has its own mode.
        self.root.chmod(0o711)
        self.user_keys.parent.chmod(0o700)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the directory for one `mesh up`. Raises FailedPrecondition if another one has it."""
        self.create()
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FailedPrecondition(f"a mesh runs on {self.root} already; see `mesh status`") from None
            try:
                yield
            finally:
                self._run_file.unlink(missing_ok=True)

    def running(self) -> bool:
        """Tell whether a `mesh up` holds the directory: the kernel knows, whatever the run file says."""
        if not os.path.exists(self._lock):  # noqa: PTH110 - False, too, where the path leads through a plain file
            return False
        try:
            with _said(self.root), self._lock.open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    def write_run_file(self, content: RunFile) -> None:
        """Replace the run file as a whole."""
        draft = self._run_file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(content), indent=2))
        draft.replace(self._run_file)

    def read_run_file(self) -> RunFile:
        """Return what the running mesh tells. Raises NotFound if none runs on this directory."""
        try:
            content = json.loads(self._run_file.read_text()) if self.running() else None
        except (FileNotFoundError, json.JSONDecodeError):
            content = None
        if content is None:
            raise NotFound(f"no mesh runs on {self.root}; start one with `mesh up`")
        return RunFile(**content | {"parts": [PartStatus(**part) for part in content["parts"]]})


@contextmanager
def _said(root: Path) -> Iterator[None]:
    """Say in a person's words that the directory cannot be used."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise FailedPrecondition(f"{root} cannot be used ({error.strerror}); choose another with --state") from None


StateOption = Annotated[
    Path, typer.Option("--state", metavar="DIR", envvar="MESH_STATE", help="The mesh's state directory.")
]
"""The option that every command takes. Its default is `DEFAULT_STATE`."""

DEFAULT_STATE = ROOT / ".mesh"
