"""What systemd hears from a service (`sd_notify`): ready, alive, stopping.

Owns the datagram. Without a notify socket every call does nothing, so a service runs the same outside of systemd.
"""

import asyncio
import contextlib
import socket

__all__ = ["Notifier"]


class Notifier:
    """Tells systemd the state of the service."""

    def __init__(self, address: str | None, watchdog_usec: int | None = None) -> None:
        """Take NOTIFY_SOCKET (`@` marks an abstract one) and WATCHDOG_USEC."""
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._watchdog_usec = watchdog_usec

    def notify(self, state: str) -> None:
        """Send a state such as `READY=1`. A manager that does not listen is no reason to fail."""
        if self._address is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(state.encode(), self._address)

    async def keep_watchdog(self) -> None:
        """Say `WATCHDOG=1` twice a period, until cancelled: a loop that hangs falls silent and is restarted."""
        if self._address is None or self._watchdog_usec is None:
            return
        while True:
            self.notify("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_usec / 2_000_000)
