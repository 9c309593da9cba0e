"""Timeouts and retries of every method: read from `<noun>_service_config.json`, which stands beside the protos.

Owns the finding and reading of that file, for channels (retries, timeouts) and servers (timeouts) alike.
"""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

__all__ = ["ServiceConfig", "load_service_config", "timeouts_of"]

ServiceConfig = Mapping[str, Any]
"""A gRPC service config as JSON."""


def load_service_config(noun: str) -> ServiceConfig:
    """Return the service config of `memory`, `agent` or `orchestrator`. Raises FileNotFoundError for other nouns."""
    config: ServiceConfig = json.loads(_find(f"agentmesh/{noun}/v1/{noun}_service_config.json"))
    return config


def timeouts_of(config: ServiceConfig) -> dict[str, float]:
    """Return the timeout in seconds of each method path that the config gives one."""
    return dict(_timeouts(config))


def _timeouts(config: ServiceConfig) -> Iterator[tuple[str, float]]:
    for methods in config.get("methodConfig", ()):
        if "timeout" in methods:
            seconds = float(methods["timeout"].removesuffix("s"))
            for name in methods["name"]:
                yield f"/{name['service']}/{name['method']}", seconds


def _find(path: str) -> str:
    source_tree = Path(__file__).parents[2] / "proto" / path
    if source_tree.is_file():
        return source_tree.read_text()
    package, _, name = path.rpartition("/")
    return files(package.replace("/", ".")).joinpath(name).read_text()  # in a wheel it lies beside the messages
