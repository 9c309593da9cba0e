"""Signed tokens (JWT): whether one is genuine, for us, and alive; and whom it names.

Owns the verification. Algorithms are pinned; keys come from our own source and never from the token (`jwk`, `jku`,
`x5u`, `x5c` are refused, and so is any critical extension). Every failure looks the same from outside.

Claims: `sub`, `tenant`, `scope` (separated by spaces), `act.sub` (the service that acts for the subject), `bound` (the
one thing that the token is good for), `iss`, `aud`, `exp`, `iat`.
"""

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from meshkit.auth.keys import KeySource, KeysUnavailableError
from meshkit.context import CallContext
from meshkit.errors import Unauthenticated

__all__ = ["ALGORITHMS", "MAX_TOKEN_BYTES", "TokenVerifier", "claimed_issuer", "refusal"]

ALGORITHMS = ("ES256", "Ed25519")
"""The signatures that are accepted: asymmetric only, so that no verifier can make tokens."""

MAX_TOKEN_BYTES = 4096
"""Longer ones are refused unread; with trace context and the rest, headers stay within 8 KiB."""

LEEWAY_SECONDS = 30
PROVEN_SECONDS = 10.0
"""How long a proof is remembered, since it costs as much as a whole call: a withdrawn key works for so much longer."""
_MAX_PROVEN = 4096  # about 2 MiB; beyond it everything is proven again, which costs time and nothing else
_HEADERS = frozenset({"alg", "kid", "typ"})


def refusal() -> Unauthenticated:
    """Return the one answer to credentials that prove nobody: it never says why."""
    return Unauthenticated("the credentials are missing, expired, malformed or not for this service")


class TokenVerifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, keys: KeySource, *, issuer: str, audience: str, clock: Callable[[], float] = time.time) -> None:
        self.issuer = issuer
        self._keys, self._clock = keys, clock
        self._proven: dict[bytes, tuple[CallContext, float]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            tenant={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )

    async def verify(self, token: str) -> CallContext:
        """Return the caller that the token proves. Raises Unauthenticated, always with the same text."""
        if len(token) > MAX_TOKEN_BYTES:
            raise refusal()
        name = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        caller, until = self._proven.get(name, (None, 0.0))
        now = self._clock()
        if caller is not None and now < until:
            return caller
        try:
            keys = await self._keys.keys(_key_id(token))
            claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
            self._claims.validate(claims)
            caller = _caller(claims)
        except (JoseError, KeysUnavailableError, LookupError, ValueError, TypeError, RecursionError) as error:
            raise refusal() from error
        if len(self._proven) >= _MAX_PROVEN:
            self._proven.clear()
        self._proven[name] = (caller, min(now + PROVEN_SECONDS, claims["exp"] + LEEWAY_SECONDS))
        return caller


def claimed_issuer(token: str) -> str:
    """Return the issuer that a token names, which proves nothing yet: it only says whose keys must prove it."""
    try:
        claims = _part(token, 1)
    except ValueError:
        return ""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else ""


def _key_id(token: str) -> str:
    """Return the id of the key that the token names, having refused every header that we do not use."""
    header = _part(token, 0)
    if not isinstance(header, dict) or not header.keys() <= _HEADERS or header.get("alg") not in ALGORITHMS:
        raise ValueError("header")
    if not isinstance(header.get("kid"), str):
        raise TypeError("kid")
    return str(header["kid"])


def _part(token: str, index: int) -> Any:
    """Return one of the token's JSON parts, unverified. Raises ValueError."""
    parts = token.split(".", 3)
    if len(token) > MAX_TOKEN_BYTES or len(parts) != 3:
        raise ValueError("no token")
    try:
        part = parts[index]
        return json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("no JSON") from error


def _caller(claims: dict[str, Any]) -> CallContext:
    actor = None
    if "act" in claims:
        actor = claims["act"]["sub"]
        if not isinstance(actor, str) or not actor:
            raise TypeError("act")
    subject, tenant, scope, bound = claims["sub"], claims["tenant"], claims.get("scope", ""), claims.get("bound", "")
    if not all(isinstance(text, str) for text in (subject, tenant, scope, bound)) or not subject or not tenant:
        raise TypeError("claims")
    return CallContext(tenant=tenant, subject=subject, scopes=frozenset(scope.split()), actor=actor, bound=bound)
