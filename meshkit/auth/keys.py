"""The issuer's public keys: from a file, read again when it changes, or from a URL, kept for some minutes.

Owns where keys come from. It verifies nothing. A key that is not there is looked for again at most once a minute, so
that made-up key ids cannot make the mesh flood its issuer.
"""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, import_key

__all__ = ["FileKeys", "KeySource", "KeysUnavailableError", "UrlKeys", "parse_keys"]

_MAX_DOCUMENT_BYTES = 256 * 1024


class KeysUnavailableError(Exception):
    """The keys cannot be had now: the file is missing or broken, or the issuer does not answer."""


class KeySource(Protocol):
    """Where public keys come from."""

    async def keys(self, kid: str) -> KeySet:
        """Return the keys, looked up again if none has this id and a look-up is due. Raises KeysUnavailableError."""
        ...


def parse_keys(document: bytes) -> KeySet:
    """Return the signature keys of a JWKS document; secret and RSA keys are left out. Raises KeysUnavailableError."""
    try:
        entries = json.loads(document)["keys"]
        keys = [import_key(entry) for entry in entries if entry.get("kty") in ("EC", "OKP")]
    except (ValueError, TypeError, KeyError, AttributeError, JoseError) as error:
        raise KeysUnavailableError("the key document is not a JWKS") from error
    return KeySet([key for key in keys if isinstance(key, (ECKey, OKPKey))])


def _has(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys.keys)


class FileKeys:
    """Keys in a file; a change is seen within a second. A broken file, perhaps half written, changes nothing."""

    RECHECK_SECONDS = 1.0

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._keys: KeySet | None = None
        self._stamp: tuple[int, int] | None = None
        self._checked = float("-inf")

    async def keys(self, kid: str) -> KeySet:
        """Return the file's keys."""
        now = self._clock()
        if self._keys is None or now - self._checked >= self.RECHECK_SECONDS:
            self._reload()
            self._checked = now
        assert self._keys is not None
        return self._keys

    def _reload(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._keys = parse_keys(self._path.read_bytes())
                self._stamp = stamp
        except OSError as error:
            raise KeysUnavailableError("the key file cannot be read") from error
        except KeysUnavailableError:
            if self._keys is None:
                raise


class UrlKeys:
    """Keys behind a URL, fetched once for all who wait."""

    TTL_SECONDS = 300.0
    MISS_SECONDS = 60.0

    def __init__(self, url: str, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._client, self._clock = url, client, clock
        self._keys: KeySet | None = None
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def keys(self, kid: str) -> KeySet:
        """Return the keys; old ones serve on while the issuer does not answer."""
        if self._due(kid):
            async with self._lock:
                if self._due(kid):  # nobody fetched while this call waited
                    await self._fetch()
        if self._keys is None:
            raise KeysUnavailableError("the issuer's keys could not be fetched")
        return self._keys

    def _due(self, kid: str) -> bool:
        now = self._clock()
        if self._keys is None:
            return now - self._tried >= 1.0  # at start the issuer may come up a moment after us
        stale = now - self._fetched >= self.TTL_SECONDS or not _has(self._keys, kid)
        return stale and now - self._tried >= self.MISS_SECONDS

    async def _fetch(self) -> None:
        try:
            answer = await self._client.get(self._url, timeout=5.0)
            answer.raise_for_status()
            if len(answer.content) <= _MAX_DOCUMENT_BYTES:
                self._keys = parse_keys(answer.content)
                self._fetched = self._clock()
        except (httpx.HTTPError, KeysUnavailableError):
            return  # the caller judges by what is there
        finally:
            self._tried = self._clock()  # only now: who comes while it is fetched waits for it
