"""A whole mesh under test: started by the command that users type, on a state directory and a port of its own."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshctl.credentials import ALL_SCOPES, TENANT, local_token
from meshctl.state import State

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RunningMesh:
    """A mesh that serves. `address` is its door."""

    state: Path
    address: str
    environ: dict[str, str]

    def cli(self, *arguments: str, text: str | None = None, timeout: float = 60, **environ: str):
        """Run a `mesh` command on this mesh and return what it did."""
        return subprocess.run(
            [ROOT / "mesh", *arguments, "--state", self.state],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=self.environ | environ,
        )

    def token(
        self, subject: str = "ada", *, tenant: str = TENANT, scopes: Sequence[str] = ALL_SCOPES, lifetime: float = 600
    ) -> str:
        """Return a token of this mesh, as `mesh token create` makes it."""
        return local_token(State(self.state), subject=subject, tenant=tenant, scopes=scopes, lifetime=lifetime)

    def status(self) -> dict:
        """Return what `mesh status --json` tells."""
        return json.loads(self.cli("status", "--json").stdout)

    def pid(self, part: str) -> int:
        """Return the process id of a part."""
        return next(each["pid"] for each in self.status()["parts"] if each["name"] == part)

    def kill(self, part: str) -> int:
        """Kill a part as a crash would; return the id it had."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        return pid


def start_mesh(state: Path, **environ: str) -> RunningMesh:
    """Start a mesh on a free port and return once everything is SERVING."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = inherited | {"TERM": "dumb", "COLUMNS": "200", "MESH_RUNTIMES": "langchain"} | environ
    done = subprocess.run(
        [ROOT / "mesh", "up", "--detach", "--state", state, "--listen", f"127.0.0.1:{free_port()}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=environment,
    )
    logs = "".join(f"\n== {log.name}\n{log.read_text()[-2000:]}" for log in sorted((state / "logs").glob("*.log")))
    assert done.returncode == 0, done.stderr + logs
    return RunningMesh(state, done.stdout.strip().splitlines()[-1], environment)


def stop_mesh(mesh: RunningMesh) -> None:
    """Stop a mesh; one that is gone already is fine."""
    mesh.cli("down", timeout=150)


def free_port() -> int:
    """Return a port that is free now; the door takes it a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
