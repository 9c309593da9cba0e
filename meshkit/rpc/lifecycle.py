"""From `python -m <service>` to a clean exit: start, tell systemd, wait for a signal, drain, close.

Owns the process: the event loop, signals, logs and exit code. Every `__main__.py` is

    raise SystemExit(run("memory", load_config, build_server))
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from meshkit import failpoints
from meshkit.config import ConfigError, ServiceSettings
from meshkit.rpc.server import MeshServer
from meshkit.rpc.systemd import Notifier
from meshkit.telemetry.logs import setup_logs
from meshkit.telemetry.setup import Telemetry
from meshkit.telemetry.setup import start as start_telemetry

__all__ = ["run", "serve"]

Config = TypeVar("Config", bound=ServiceSettings)

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: systemd can be told not to restart on it
_GC_THRESHOLD = (50_000, 20, 100)  # far fewer collections: measured, they are the longest pauses of a busy loop

_log = structlog.get_logger(__name__)


def run(service: str, load: Callable[[], Config], build: Callable[[Config, Telemetry], Awaitable[MeshServer]]) -> int:
    """Run a service until SIGTERM or SIGINT. Returns the exit code: 0, or 78 for a configuration that cannot work."""
    try:
        config = load()
        setup_logs(service, config.log_level)
        failpoints.arm(config.failpoints, config.failpoints_seed)
        telemetry = start_telemetry(config, service)
        try:
            asyncio.run(_main(service, config, telemetry, build))
        finally:
            telemetry.stop()
    except ConfigError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return EXIT_CONFIG
    return 0


async def serve(server: MeshServer, service: str) -> None:
    """Start the server, wait for SIGTERM or SIGINT, and drain it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    notifier = Notifier(server.settings.notify_socket, server.settings.watchdog_usec)
    try:
        await server.start()
        # What lives until now lives until the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLD)
        watchdog = asyncio.create_task(notifier.keep_watchdog(), name="watchdog")
        notifier.notify("READY=1")
        _log.info("listening", address=server.address)
        await stop.wait()
        notifier.notify("STOPPING=1")
        _log.info("draining", address=server.address)
    finally:
        await server.stop()
    watchdog.cancel()
    _log.info("stopped", address=server.address)


async def _main(
    service: str, config: Config, telemetry: Telemetry, build: Callable[[Config, Telemetry], Awaitable[MeshServer]]
) -> None:
    await serve(await build(config, telemetry), service)
