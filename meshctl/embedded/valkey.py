"""The embedded Valkey: one call starts it and returns where to connect.

Owns its configuration file, which holds the password so that no command line does. It listens on 127.0.0.1 only.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError
from redis.exceptions import ConnectionError as NoConnection

from meshctl.embedded.claim import claim
from meshctl.embedded.kept import kept_password, kept_port, write_private
from meshctl.embedded.process import Child, spawn, until_ready
from meshctl.embedded.wheels import valkey_program

__all__ = ["Valkey", "start_valkey"]

# The mesh keeps nothing in Valkey that it cannot make again: wake-ups, caches, rate limits. Hence one second of writes
# may be lost, and under memory pressure keys with a time limit go, the soonest first.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {data}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy volatile-ttl
"""


@dataclass(frozen=True, slots=True)
class Valkey:
    """A running server. `url` holds its password."""

    child: Child
    port: int
    url: str = field(repr=False)

    async def stop(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - see Child.stop
        """Write everything down and stop; killed after `timeout` seconds."""
        await self.child.stop(timeout)


async def start_valkey(state: Path, *, program: Path | None = None, patience: float = 10.0) -> Valkey:
    """Start Valkey on the state directory `state`, which is made if missing, and return once it answers.

    `program` is a `valkey-server` or `redis-server`; the default is the wheel's. `patience` is how many seconds a
    server that is still stopping may take.
    Raises FailedPrecondition if a server runs there already, Unavailable if it fails.
    """
    own, logs = state / "valkey", state / "logs"
    data = own / "data"
    for directory in (data, logs):
        directory.mkdir(parents=True, exist_ok=True)
    own.chmod(0o700)
    async with claim(own / "lock", "Valkey", patience=patience) as lock:
        password, port = kept_password(own / "password"), kept_port(own / "port")
        configuration = own / "valkey.conf"
        write_private(configuration, _CONFIGURATION.format(port=port, password=password, data=_quoted(data.resolve())))
        child = spawn(
            [program or valkey_program(), configuration.resolve()],
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
            cwd=own,
            log=logs / "valkey.log",
            keep_open=(lock,),
        )
    server = Valkey(child, port, url=f"redis://:{password}@127.0.0.1:{port}/0")

    async def answers() -> bool:
        return await _answers(server.url)

    await until_ready(child, "Valkey", answers)
    return server


async def _answers(url: str) -> bool:
    client = Redis.from_url(url)
    try:
        async with asyncio.timeout(5):
            return bool(await client.ping())
    except (AuthenticationError, TimeoutError):
        return False  # something else has taken the port: the child will say so and end
    except (NoConnection, BusyLoadingError):
        return False
    finally:
        await client.aclose()


def _quoted(path: Path) -> str:
    """Return the path as one argument of a Valkey configuration line."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
