"""Which addresses on the web an agent may ask: the guard against requests that reach behind the operator's wall.

Owns the judgement of one URL, and the one look-up of its name: whoever connects must use the addresses given here,
since a second look-up may be answered differently.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import httpx

from agent_service.adapters.web.addresses import is_public, read_address
from agent_service.adapters.web.allowed import Allowed
from agent_service.domain.tool import ToolError

__all__ = ["Guard", "Resolve", "Target", "look_up"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, as `look_up` does. Raises OSError."""

_USUAL_PORTS = {"http": 80, "https": 443}
_PORTS = frozenset((80, 443, 8080, 8443))  # what listens elsewhere is seldom a web site, and often a store or a queue
_MAX_LENGTH = 2000
_LOOK_UP_SECONDS = 5.0
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)")  # 2130706433, 0x7f.1, 017700000001: old ways to write an address
_IN_TEXT = re.compile(r"[\s\\\x00-\x20\x7f]")  # what some readers of URLs skip or take for a slash
_NOT_PUBLIC = "That address is not on the public web, and I may not fetch it."


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be fetched, from one of these addresses and no other."""

    url: httpx.URL
    host: str
    addresses: tuple[str, ...]


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of the host, the best first. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class Guard:
    """Judges URLs."""

    def __init__(self, allowed: Allowed | None = None, resolve: Resolve = look_up) -> None:
        self._allowed, self._resolve = allowed or Allowed(), resolve

    def allowing(self, url: str) -> "Guard":
        """Return a guard that lets pass the site of this URL, too: the operator chose it. `url` is valid."""
        _, host, port = _read(url)
        sites = self._allowed.sites | {(host, port)}
        return Guard(replace(self._allowed, sites=sites), self._resolve)

    async def target(self, url: str) -> Target:
        """Look up the URL's host, once, and return where to ask. Raises ToolError, with words for the model."""
        parsed, host, port = _read(url)
        named = self._allowed.site(host, port, usual=port in _PORTS)
        if port not in _PORTS and not named:
            raise ToolError("Only the ports 80, 443, 8080 and 8443 of a site may be asked.")
        addresses = [host] if read_address(host) else await self._addresses(host, port)
        if not named and not all(map(self._may_reach, addresses)):
            raise ToolError(_NOT_PUBLIC)
        return Target(parsed, host, tuple(dict.fromkeys(addresses)))

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            addresses = ()
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                raise ToolError(f"There is no site named {host}, or the web cannot be reached from here.") from None
            addresses = ()
        except OSError:
            addresses = ()
        if not addresses:
            raise ToolError(f"The web cannot be reached from here: nobody knows the address of {host}.")
        return addresses

    def _may_reach(self, text: str) -> bool:
        address = read_address(text)
        return address is not None and (is_public(address) or self._allowed.address(address))


def _read(url: str) -> tuple[httpx.URL, str, int]:
    """Return the URL, its host (ASCII, small letters) and its port. Raises ToolError."""
    try:
        parsed = httpx.URL(url)
        host, port = parsed.raw_host.decode("ascii").lower().removesuffix("."), parsed.port
    except (httpx.InvalidURL, ValueError):  # ValueError: a name that IDNA does not know
        raise ToolError("This is not a valid URL.") from None
    if parsed.scheme not in _USUAL_PORTS:
        raise ToolError("Only http:// and https:// URLs can be fetched.")
    if parsed.userinfo:
        raise ToolError("A URL with a user name or password in it is not fetched.")
    if len(url) > _MAX_LENGTH or _IN_TEXT.search(url) or (port is not None and not 0 < port < 65_536):
        raise ToolError("This is not a valid URL.")
    if read_address(host) is None and (not _NAME.fullmatch(host) or _NUMBER.fullmatch(host)):
        raise ToolError("This URL names no valid host.")
    return parsed, host, _USUAL_PORTS[parsed.scheme] if port is None else port
