"""Starts a real Envoy on the real template."""

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from meshctl.edge import EdgeSettings, write_edge
from meshctl.embedded.envoy import start_envoy

ORIGIN = "https://studio.example.com"


@dataclass
class Door:
    """An Envoy that runs."""

    address: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def http(self, *, http2: bool = False, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url, http1=not http2, http2=http2, timeout=10.0, trust_env=False, **options
        )

    def access(self) -> list[dict[str, Any]]:
        """Return the access log's lines so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@asynccontextmanager
async def open_door(directory: Path, *, hurry: Mapping[str, str] | None = None, **settings: Any) -> AsyncIterator[Door]:
    """Run Envoy in front of the given `orchestrator` and `memory` addresses.

    `hurry` replaces times in the configuration, so that a test need not wait for the real ones.
    """
    port = free_port()
    edge = EdgeSettings(listen=f"127.0.0.1:{port}", **{"origins": [ORIGIN], **settings})
    directory.mkdir(exist_ok=True)
    configuration = write_edge(edge, directory)
    text = configuration.read_text()
    for real, shorter in (hurry or {}).items():
        assert real in text
        text = text.replace(real, shorter)
    configuration.write_text(text)
    log = directory / "envoy.log"
    child = await start_envoy(configuration, log=log, listens_on=("127.0.0.1", port))
    try:
        yield Door(edge.listen, log)
    finally:
        await child.stop()


def free_port() -> int:
    """Return a port that is free now; whoever needs it takes it a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def without_trace(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an error without the trace of its call, in which no two are alike."""
    details = [{name: value for name, value in detail.items() if name != "metadata"} for detail in body["details"]]
    return {**body, "details": details}
