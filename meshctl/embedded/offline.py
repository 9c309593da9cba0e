"""Starts the offline model (`model.py`) as a child and says where it listens."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from meshctl.embedded.claim import claim
from meshctl.embedded.kept import kept_password, kept_port
from meshctl.embedded.process import Child, spawn, until_ready
from meshctl.embedded.rules import MODEL_ID

__all__ = ["OfflineModel", "start_offline_model"]

_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class OfflineModel:
    """A running offline model. `url` ends in `/v1`; every request needs `key` as its bearer key."""

    child: Child
    port: int
    url: str
    key_file: Path
    key: str = field(repr=False)
    model: str = MODEL_ID

    async def stop(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - see Child.stop
        """End running answers after 2 seconds and stop; killed after `timeout` seconds."""
        await self.child.stop(timeout)


async def start_offline_model(state: Path, *, delay_ms: float = 0.0, patience: float = 10.0) -> OfflineModel:
    """Start the model on the state directory `state`, which is made if missing, and return once it answers.

    `delay_ms` is the pause before each piece of an answer. `patience` is how many seconds one that is still stopping
    may take. Raises FailedPrecondition if one runs there already, Unavailable if it fails.
    """
    own, logs = state / "model", state / "logs"
    for directory in (own, logs):
        directory.mkdir(parents=True, exist_ok=True)
    own.chmod(0o700)
    async with claim(own / "lock", "The offline model", patience=patience) as lock:
        key_file, port = own.resolve() / "key", kept_port(own / "port")
        key = kept_password(key_file)
        options = ["--port", str(port), "--key-file", str(key_file), "--delay-ms", str(delay_ms)]
        child = spawn(
            [sys.executable, "-m", "meshctl.embedded.model", *options],
            env={"LC_ALL": "C.UTF-8"},
            cwd=_PROJECT,
            log=logs / "model.log",
            keep_open=(lock,),
        )
    server = OfflineModel(child, port, f"http://127.0.0.1:{port}/v1", key_file, key)
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {key}"}) as client:

        async def answers() -> bool:
            try:
                return (await client.get(f"{server.url}/models")).is_success
            except httpx.TransportError:
                return False

        await until_ready(child, "The offline model", answers)
    return server
