"""API keys: `mesh_<id>_<secret>`, of which only a digest is kept.

Owns their format, making and checking. The secret has 256 random bits, so a plain SHA-256 is as good as a slow hash and
costs a microsecond. A key that is taken out of the file stops working within five seconds.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from meshkit.auth.tokens import refusal
from meshkit.context import SERVICE_PREFIX, CallContext

__all__ = ["PREFIX", "ApiKeyRecord", "ApiKeyStore", "ApiKeyVerifier", "FileApiKeys", "new_api_key"]

PREFIX = "mesh_"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """What is kept of a key. `digest` is the SHA-256 of the whole key, in hexadecimal."""

    id: str
    digest: str
    tenant: str
    subject: str
    scopes: frozenset[str]


class ApiKeyStore(Protocol):
    """Where the records are kept."""

    def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return the record of a key that is valid now, None if there is none."""
        ...


def new_api_key(*, tenant: str, subject: str, scopes: frozenset[str]) -> tuple[str, ApiKeyRecord]:
    """Make a key. Returns its text, to be shown once and never kept, and the record to keep."""
    if subject.startswith(SERVICE_PREFIX):
        raise ValueError("an API key is for people and back ends; services of the mesh use tokens")
    key_id = secrets.token_hex(8)
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    return key, ApiKeyRecord(key_id, _digest(key), tenant, subject, scopes)


class ApiKeyVerifier:
    """Checks keys against the store."""

    def __init__(self, store: ApiKeyStore) -> None:
        self._store = store

    def verify(self, key: str) -> CallContext:
        """Return the caller that the key proves. Raises Unauthenticated, always with the same text."""
        record = self._store.find(key.removeprefix(PREFIX).partition("_")[0])
        # Compared even when there is no record, so that the time tells nothing about which ids exist.
        matches = hmac.compare_digest(_digest(key), record.digest if record else "0" * 64)
        if record is None or not matches:
            raise refusal()
        return CallContext(tenant=record.tenant, subject=record.subject, scopes=record.scopes)


class FileApiKeys:
    """Records in a JSON file: `{"keys": [{"id", "digest", "tenant", "subject", "scopes": [...]}]}`.

    The file is looked at every second. One that is missing holds no keys; one that is broken changes nothing and says
    so in the log, since cutting everybody off for a typing mistake would be worse.
    """

    RECHECK_SECONDS = 1.0

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._records: Mapping[str, ApiKeyRecord] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._checked = float("-inf")

    def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return the record of the key, None if it is not in the file."""
        now = self._clock()
        if now - self._checked >= self.RECHECK_SECONDS:
            self._checked = now
            self._reload()
        return self._records.get(key_id)

    def save(self, records: list[ApiKeyRecord]) -> None:
        """Write the file anew, readable by its owner alone."""
        entries = [
            {
                "id": each.id,
                "digest": each.digest,
                "tenant": each.tenant,
                "subject": each.subject,
                "scopes": sorted(each.scopes),
            }
            for each in records
        ]
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"keys": entries}, indent=2))
        fresh.replace(self._path)  # readers see the old file or the new one, never half of one

    def records(self) -> list[ApiKeyRecord]:
        """Return all records of the file."""
        self._reload()
        return list(self._records.values())

    def _reload(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._records = {each.id: each for each in _parse(self._path.read_bytes())}
                self._stamp = stamp
        except FileNotFoundError:
            self._records, self._stamp = {}, None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("api_keys_unreadable", error=type(error).__name__)


def _parse(document: bytes) -> list[ApiKeyRecord]:
    return [
        ApiKeyRecord(
            str(each["id"]),
            str(each["digest"]),
            str(each["tenant"]),
            str(each["subject"]),
            frozenset(str(scope) for scope in each["scopes"]),
        )
        for each in json.loads(document)["keys"]
    ]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
