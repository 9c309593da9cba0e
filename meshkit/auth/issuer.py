"""Tokens that the mesh makes itself: for the command line, and short-lived ones for its own services.

Owns the private key's use and the making of local keys. A service never hands a user's token on; it makes one that
names the user and itself (`act`), for one audience, for some minutes.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from meshkit.config import ConfigError
from meshkit.context import SERVICE_PREFIX, current_or_none

__all__ = ["INTERNAL_ISSUER", "KeyFiles", "PeerTokens", "TokenIssuer", "create_keys"]

INTERNAL_ISSUER = "agentmesh-internal"
"""The issuer of the tokens that services of the mesh make for each other, for the audience that is the peer's name."""

_ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A signing key and its public half."""

    private: Path
    """PEM, mode 0600."""
    public: Path
    """JWKS."""


def create_keys(directory: Path) -> KeyFiles:
    """Make a P-256 key pair in the directory (`signing-key.pem`, mode 0600, and `jwks.json`), unless it is there."""
    files = KeyFiles(directory / "signing-key.pem", directory / "jwks.json")
    if not files.private.exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ECKey.generate_key("P-256")
        # Created with its mode, not changed to it: there is no moment at which others can read it.
        handle = os.open(files.private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.as_pem(private=True))
    public = _load(files.private)
    document = KeySet([public]).as_dict(private=False, use="sig", alg=_ALGORITHM)
    files.public.write_text(json.dumps(document, indent=2))
    return files


class TokenIssuer:
    """Signs tokens with one private key."""

    def __init__(self, key_file: Path, *, issuer: str, clock: Callable[[], float] = time.time) -> None:
        """Load the key. Raises ConfigError if the file holds none."""
        self._key = _load(key_file)
        self._issuer, self._clock = issuer, clock

    def issue(
        self,
        *,
        audience: str,
        tenant: str,
        subject: str,
        scopes: Iterable[str],
        lifetime: float = 300.0,
        actor: str | None = None,
        bound: str | None = None,
    ) -> str:
        """Return a token that lives for `lifetime` seconds. `actor` is the service that acts for the subject.

        `bound` names the one thing that the token is good for, in words that the audience understands.
        """
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "sub": subject,
            "tenant": tenant,
            "scope": " ".join(sorted(scopes)),
            "iat": now,
            "exp": now + int(lifetime),
        }
        if actor is not None:
            claims["act"] = {"sub": actor}
        if bound is not None:
            claims["bound"] = bound
        header = {"alg": _ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])


class PeerTokens:
    """The credentials of one service at another: for the user of the current call if there is one, else for itself.

    Called for every outgoing call, so tokens are kept until half of their life is over.
    """

    LIFETIME_SECONDS = 300.0
    # A token is small; more callers than this within minutes only costs signing again (about 0.1 ms).
    MAX_KEPT = 1024

    def __init__(
        self,
        issuer: TokenIssuer,
        *,
        service: str,
        audience: str,
        scopes: Iterable[str],
        tenant: str = "system",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make tokens for `audience` with these scopes; `tenant` is used outside of a call only."""
        self._issuer, self._audience, self._scopes = issuer, audience, frozenset(scopes)
        self._service, self._tenant, self._clock = f"{SERVICE_PREFIX}{service}", tenant, clock
        self._kept: dict[tuple[str, str], tuple[str, float]] = {}

    def __call__(self) -> str:
        """Return a token for the call being made."""
        call = current_or_none()
        who = (call.tenant, call.subject) if call is not None else (self._tenant, self._service)
        token, renew = self._kept.get(who, ("", 0.0))
        now = self._clock()
        if not token or now >= renew:
            tenant, subject = who
            token = self._issuer.issue(
                audience=self._audience,
                tenant=tenant,
                subject=subject,
                scopes=self._scopes,
                lifetime=self.LIFETIME_SECONDS,
                actor=None if subject == self._service else self._service,
            )
            if len(self._kept) >= self.MAX_KEPT:
                self._kept.clear()
            self._kept[who] = (token, now + self.LIFETIME_SECONDS / 2)
        return token


def _load(path: Path) -> ECKey:
    try:
        key = ECKey.import_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} holds no private EC key: {type(error).__name__}") from None
    if not key.is_private:
        raise ConfigError(f"{path} holds a public key; the private one is needed")
    key.ensure_kid()
    return key
