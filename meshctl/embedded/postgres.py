"""The embedded Postgres: one call starts it, makes its roles and its database, and returns where to connect.

Owns the order of the start, the server's settings, the roles and the database. It listens on 127.0.0.1 only, every
connection needs a password (scram-sha-256). The superuser `postgres` is for setting up; services are `mesh`, which owns
the database `mesh` and nothing else. `agentmesh_memory` owns nothing: memory answers its callers with no more rights.
"""

import signal
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from meshctl.embedded.claim import claim
from meshctl.embedded.cluster import ENVIRONMENT, prepare
from meshctl.embedded.kept import kept_password, kept_port
from meshctl.embedded.placement import place
from meshctl.embedded.process import Child, spawn, until_ready
from meshctl.embedded.wheels import postgres_programs
from meshkit.errors import FailedPrecondition

__all__ = ["Postgres", "start_postgres"]

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    # A machine of 2 cores and 4 GB shared with the mesh itself; the page cache does the rest.
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",  # building an HNSW index in memory
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",  # solid state disks
    "jit": "off",  # our queries are short: compiling one costs more than running it
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "cluster_name": "agentmesh",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. `url` is the role of the services, `admin_url` the superuser; both hold a password."""

    child: Child
    port: int
    data: Path
    url: str = field(repr=False)
    admin_url: str = field(repr=False)

    async def stop(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - see Child.stop
        """End all connections, write everything down and stop; killed after `timeout` seconds, which loses nothing."""
        await self.child.stop(timeout)


async def start_postgres(state: Path, *, programs: Path | None = None, patience: float = 10.0) -> Postgres:
    """Start Postgres on the state directory `state`, which is made if missing, and return once it answers queries.

    `programs` is a directory with `initdb`, `postgres` and pgvector's files installed beside them; the default is the
    wheel's. `patience` is how many seconds a server that is still stopping may take.
    Raises FailedPrecondition if a server runs there already or its data cannot be used, Unavailable if it fails.
    """
    own, logs = state / "postgres", state / "logs"
    for directory in (own, logs):
        directory.mkdir(parents=True, exist_ok=True)
    own.chmod(0o711)  # the server's own account passes through; the passwords in it are for their owner only
    log = logs / "postgres.log"
    async with claim(own / "lock", "Postgres", patience=patience) as lock:
        placement = place(own, programs or postgres_programs())
        admin_password, password = kept_password(own / "admin.password"), kept_password(own / "mesh.password")
        await prepare(placement, admin_password, log, lock)
        port = kept_port(own / "port")
        settings = [f"--{name}={value}" for name, value in (_SETTINGS | {"port": str(port)}).items()]
        child = spawn(
            [placement.programs / "postgres", "-D", placement.data, *settings],
            env=ENVIRONMENT,
            cwd=placement.data,
            log=log,
            death_signal=signal.SIGINT,  # Postgres's "fast" stop: it does not wait for its clients
            account=placement.account,
            keep_open=(lock,),
        )
    server = Postgres(
        child,
        port,
        placement.data,
        # No TLS on loopback, and saying so keeps clients from looking for certificates in the user's home.
        url=f"postgresql://mesh:{password}@127.0.0.1:{port}/mesh?sslmode=disable",
        admin_url=f"postgresql://postgres:{admin_password}@127.0.0.1:{port}/postgres?sslmode=disable",
    )

    async def answers() -> bool:
        return await _set_up(server.admin_url, password)

    await until_ready(child, "Postgres", answers, patience=60.0)  # after a crash it replays its log first
    return server


async def _set_up(admin_url: str, password: str) -> bool:
    """Make what is missing of the role, the database and the extension; False while the server is still starting."""
    try:
        # A statement that fails is not logged with its text, which holds the password.
        server = await asyncpg.connect(admin_url, server_settings={"log_min_error_statement": "panic"}, timeout=10)
    except (ConnectionError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    except asyncpg.InvalidPasswordError:
        message = "the password in postgres/admin.password below the state directory does not open its database"
        raise FailedPrecondition(message) from None
    try:
        if not await server.fetchval("select exists (select from pg_roles where rolname = 'mesh')"):
            await server.execute("create role mesh login")
        if not await server.fetchval("select exists (select from pg_roles where rolname = 'agentmesh_memory')"):
            await server.execute("create role agentmesh_memory nologin")
        await server.execute("grant agentmesh_memory to mesh")
        await server.execute(f"alter role mesh password '{password}'")  # the file decides, also one that was renewed
        if not await server.fetchval("select exists (select from pg_database where datname = 'mesh')"):
            await server.execute("create database mesh owner mesh")
        await server.execute("revoke all on database mesh from public")
    finally:
        await server.close()
    database = await asyncpg.connect(admin_url, database="mesh", timeout=10)
    try:
        await database.execute("create extension if not exists vector")
    finally:
        await database.close()
    return True
