"""Fetches a page from the web, within bounds.

Owns the connections, the redirects and the limits of size and time. Each hop is judged anew by the guard and goes to
an address that the guard looked up: the name is looked up nowhere else. Nothing outlives a fetch, no cookie and no
connection, and nothing of the process goes along: no credentials, no settings from the environment.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from agent_service.adapters.web.guard import Guard, Target
from agent_service.domain.tool import ToolError

__all__ = ["LIMIT_BYTES", "Page", "WebClient"]

LIMIT_BYTES = 2 * 1024 * 1024
"""The most that is read of a page, counted after decompression."""

_SECONDS = 20.0  # for the whole fetch: looking up, every redirect, the last byte
_CONNECT_SECONDS = 5.0  # for all addresses of a site together
_MAX_ADDRESSES = 2
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_GZIP = 16 + zlib.MAX_WBITS
_AGENT = "agentmesh/0.1 (a self-hosted agent that reads pages for its user)"


@dataclass(frozen=True, slots=True)
class Page:
    """What a site answered with success."""

    url: str
    """Where it was found, after redirects."""
    content_type: str
    """Without parameters, in small letters; empty if the site tells none."""
    charset: str
    """As the site tells it; empty if it tells none."""
    body: bytes
    is_cut: bool
    """True when there was more than LIMIT_BYTES."""


class WebClient:
    """Fetches."""

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext | None = None, seconds: float = _SECONDS) -> None:
        """`tls` says whom to trust: without it, the usual authorities and those of this machine."""
        self._guard, self._seconds = guard, seconds
        if tls is None:
            tls = httpx.create_ssl_context(trust_env=False)
            tls.load_default_certs()
        # A connection that stays open is known by its address alone: another name at that address must not use it. So
        # none is left when a fetch ends, and nothing is to be closed.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._tls = tls
        self._transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)

    def allowing(self, url: str) -> "WebClient":
        """Return this client, which may also ask the site of this URL, wherever that is: the operator chose it."""
        return WebClient(self._guard.allowing(url), tls=self._tls, seconds=self._seconds)

    async def get(self, url: str, parameters: Mapping[str, str] | None = None) -> Page:
        """Fetch a page; `parameters` join the URL's query. Raises ToolError with words for the model."""
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await self._follow(url, parameters)
        except TimeoutError:
            if not limit.expired():
                raise
            raise ToolError(f"The site took longer than {self._seconds:g} s.") from None

    async def _follow(self, url: str, parameters: Mapping[str, str] | None) -> Page:
        target = await self._guard.target(url)
        if parameters:
            target = Target(target.url.copy_merge_params(parameters), target.host, target.addresses)
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._ask(target)
            try:
                if response.status_code not in _REDIRECTS or "location" not in response.headers:
                    return await _read(target, response)
                location = response.headers["location"]
            except httpx.TransportError:
                raise ToolError(f"{target.host} cut the connection.") from None
            finally:
                await response.aclose()
            try:
                following = str(target.url.join(location))
            except (httpx.InvalidURL, ValueError):
                raise ToolError(f"{target.host} redirects to something that is no URL.") from None
            target = await self._guard.target(following)
        raise ToolError(f"The site redirects more than {_MAX_REDIRECTS} times.")

    async def _ask(self, target: Target) -> httpx.Response:
        """Return the answer, of which only the head is read, of the first address that accepts a connection."""
        addresses = target.addresses[:_MAX_ADDRESSES]
        reason = ""
        for address in addresses:
            request = httpx.Request(
                "GET",
                target.url.copy_with(host=address, fragment=None),
                headers={
                    "host": target.url.netloc.decode("ascii"),
                    "user-agent": _AGENT,
                    "accept": "text/html,application/xhtml+xml,application/json,application/xml,text/*;q=0.9,*/*;q=0.1",
                    "accept-encoding": "gzip",
                    "connection": "close",
                },
                extensions={
                    "sni_hostname": target.host,  # the name that the certificate must be for
                    "timeout": {"connect": _CONNECT_SECONDS / len(addresses), "read": None, "write": None},
                },
            )
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                reason = _why(error)
            except httpx.TransportError:
                raise ToolError(f"{target.host} cut the connection or does not speak HTTP.") from None
        raise ToolError(f"{target.host} {reason}")


def _why(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "shows a certificate that is not valid; nothing was read from it."
        cause = cause.__cause__ or cause.__context__
    return "does not answer: either the web cannot be reached from here, or the site is down."


async def _read(target: Target, response: httpx.Response) -> Page:
    if not response.is_success:
        raise ToolError(f"{target.host} answered with status {response.status_code}, so there is nothing to read.")
    kind, _, _ = response.headers.get("content-type", "").partition(";")
    body, is_cut = await _body(response)
    return Page(
        url=str(target.url.copy_with(fragment=None)),
        content_type=kind.strip().lower(),
        charset=response.charset_encoding or "",
        body=body,
        is_cut=is_cut,
    )


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """Return what fits, and whether there was more. Never holds much more than that, however well it was packed."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise ToolError(f"The site packs its answer in a way that cannot be read ({encoding[:40]}).")
    unpack = zlib.decompressobj(_GZIP) if encoding.endswith("gzip") else None
    body = bytearray()
    async for piece in response.aiter_raw():
        try:
            body += piece if unpack is None else unpack.decompress(piece, LIMIT_BYTES + 1 - len(body))
        except zlib.error:
            raise ToolError("The site's answer is damaged.") from None
        if len(body) > LIMIT_BYTES:
            return bytes(body[:LIMIT_BYTES]), True
    return bytes(body), False
