"""The embedded Envoy: checks a configuration file, starts the proxy on it.

Owns the command line. The configuration itself is written elsewhere.
"""

import asyncio
from pathlib import Path

from meshctl.embedded.process import Child, log_tail, spawn, until_ready
from meshctl.embedded.wheels import envoy_program
from meshkit.errors import FailedPrecondition

__all__ = ["start_envoy", "validate_envoy"]


async def validate_envoy(configuration: Path, *, log: Path, program: Path | None = None) -> None:
    """Let Envoy itself check the file. Raises FailedPrecondition with Envoy's own words if it refuses it."""
    log.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
    argv = [*_command(configuration, program), "--mode", "validate"]
    child = spawn(argv, env={}, cwd=configuration.parent, log=log)
    try:
        status = await child.wait()
    except BaseException:
        await child.stop()
        raise
    if status != 0:
        raise FailedPrecondition(f"Envoy refuses {configuration}:\n{log_tail(log)}")


async def start_envoy(
    configuration: Path, *, log: Path, listens_on: tuple[str, int], concurrency: int = 1, program: Path | None = None
) -> Child:
    """Start Envoy and return once its listener `listens_on` (host, port) accepts connections.

    `concurrency` is the number of worker threads. Raises FailedPrecondition if something listens there already,
    Unavailable with the end of its log if it fails.
    """
    if await _accepts(*listens_on):  # also another Envoy, with which it would silently share the port
        raise FailedPrecondition(
            f"{listens_on[0]}:{listens_on[1]} is in use by another program: free it, or choose another"
        )
    argv = [*_command(configuration, program), "--use-dynamic-base-id", "--concurrency", str(concurrency)]
    child = spawn(argv, env={}, cwd=configuration.parent, log=log)
    await until_ready(child, "Envoy", lambda: _accepts(*listens_on))
    return child


def _command(configuration: Path, program: Path | None) -> list[str | Path]:
    return [program or envoy_program(), "--config-path", configuration.resolve(), "--log-level", "warning"]


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
