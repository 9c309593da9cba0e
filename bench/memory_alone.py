"""A memory service alone, for what is measured of memory only: embedded stores, the service in a process of its own.

Owns their start and end. Limits are lifted, because one client here stands for many.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from meshclient import MeshClient
from meshctl.embedded.postgres import start_postgres
from meshctl.embedded.process import Child, spawn, until_ready
from meshctl.embedded.valkey import start_valkey
from meshctl.health import serving
from meshkit.auth.issuer import TokenIssuer, create_keys
from tests.e2e.running import free_port

__all__ = ["TENANT", "MemoryAlone", "started"]

ROOT = Path(__file__).resolve().parents[1]
TENANT = "bench"
_SCOPES = ("memory.read", "memory.write", "memory_settings.read", "memory_settings.write", "memory_privacy.write")
_LIFETIME = 7200.0


class MemoryAlone:
    """Stores that run, and services on them."""

    def __init__(self, directory: Path, database_url: str, redis_url: str) -> None:
        self.database_url, self._redis_url = database_url, redis_url
        self._directory = directory
        self._keys = create_keys(directory / "keys")
        self._internal = create_keys(directory / "internal")

    @asynccontextmanager
    async def serve(self, **settings: str) -> AsyncIterator[tuple[str, Child]]:
        """Run a service with these settings; yields its address and its process."""
        address = f"127.0.0.1:{free_port()}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen' / 'python'}",
            "MESH_LISTEN": address,
            "MESH_AUTH_JWKS_FILE": str(self._keys.public),
            "MESH_AUTH_INTERNAL_JWKS_FILE": str(self._internal.public),
            "MESH_LIMIT_CALLS_PER_SECOND": "100000",
            "MESH_LIMIT_CALLS_BURST": "100000",
            "MESH_CACHE_DIR": str(self._directory / "cache"),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self._redis_url,
            **settings,
        }
        child = spawn(
            [sys.executable, "-m", "memory_service"],
            env=environment,
            cwd=self._directory,
            log=self._directory / "memory.log",
            death_signal=signal.SIGKILL,
            stop_signal=signal.SIGTERM,
        )
        try:
            await until_ready(child, "memory", lambda: serving(address), patience=90.0)
            yield address, child
        finally:
            await child.stop()

    def client(self, address: str, user: str, *, tenant: str = TENANT, scopes: tuple[str, ...] = _SCOPES) -> MeshClient:
        """Return a client of a service for a user."""
        issuer = TokenIssuer(self._keys.private, issuer="agentmesh")
        token = issuer.issue(audience="agentmesh", tenant=tenant, subject=user, scopes=scopes, lifetime=_LIFETIME)
        return MeshClient(address, token=token)


@asynccontextmanager
async def started(directory: Path) -> AsyncIterator[MemoryAlone]:
    """Start Postgres and Valkey in the directory, and stop them at the end."""
    # Nothing else runs yet. The database's own account passes through.
    directory.chmod(0o711)  # noqa: ASYNC240
    postgres = await start_postgres(directory)
    try:
        valkey = await start_valkey(directory)
        try:
            yield MemoryAlone(directory, postgres.url, valkey.url)
        finally:
            await valkey.stop()
    finally:
        await postgres.stop()
