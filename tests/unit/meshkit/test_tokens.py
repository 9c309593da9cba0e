"""The matrix of bad tokens: each is refused, all in the same words."""

import base64
import hmac
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

from meshkit.auth.authenticator import HeaderAuthenticator
from meshkit.auth.keys import FileKeys
from meshkit.auth.tokens import LEEWAY_SECONDS, PROVEN_SECONDS, TokenVerifier
from meshkit.context import CallContext
from meshkit.errors import Unauthenticated
from meshkit.testing.clock import FrozenClock
from meshkit.testing.credentials import TestTokens

NOW = 1_800_000_000
CLAIMS: dict[str, Any] = {
    "iss": "agentmesh",
    "aud": "agentmesh",
    "sub": "ada",
    "tenant": "acme",
    "scope": "runs.read runs.write",
    "iat": NOW,
    "exp": NOW + 300,
}
KEY = ECKey.generate_key("P-256", auto_kid=True)
ED_KEY = OKPKey.generate_key("Ed25519", auto_kid=True)
FOREIGN = ECKey.generate_key("P-256", auto_kid=True)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def verifier(tmp_path: Path, clock: FrozenClock) -> TokenVerifier:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(KeySet([KEY, ED_KEY]).as_dict(private=False)))
    return TokenVerifier(FileKeys(path), issuer="agentmesh", audience="agentmesh", clock=clock)


def sign(key: Any = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Sign claims; one that is None is left out."""
    body = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    alg = (header or {}).get("alg", "ES256")
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, body, key, algorithms=[alg])


def craft(header: dict[str, Any], signature: bytes = b"", body: dict[str, Any] | None = None) -> str:
    """Write a token by hand, as an attacker would."""
    parts = [json.dumps(header).encode(), json.dumps(body or CLAIMS).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def hmac_with_the_public_key() -> str:
    pem = KEY.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = encoded(json.dumps({"alg": "HS256", "kid": KEY.kid}).encode()) + "." + encoded(json.dumps(CLAIMS).encode())
    return f"{text}.{encoded(hmac.digest(pem, text.encode(), 'sha256'))}"


def truly_signed(extra: dict[str, Any]) -> str:
    """Sign a header that the library would not let us send, with the right key."""
    header = {"alg": "ES256", "kid": KEY.kid, **extra}
    text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(CLAIMS).encode())}"
    private = KEY.private_key
    assert private is not None
    r, s = utils.decode_dss_signature(private.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


BAD: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "noise": lambda: "not a token",
    "binary": lambda: "\x00\xff.\x01.\x02",
    "three dots": lambda: "...",
    "alg none": lambda: craft({"alg": "none", "kid": KEY.kid}),
    "alg None": lambda: craft({"alg": "None", "kid": KEY.kid}),
    "HS256 with the public key": hmac_with_the_public_key,
    "RS256": lambda: craft({"alg": "RS256", "kid": KEY.kid}, b"x" * 256),
    "no signature": lambda: craft({"alg": "ES256", "kid": KEY.kid}),
    "zero signature": lambda: craft({"alg": "ES256", "kid": KEY.kid}, bytes(64)),
    "changed claims": lambda: ".".join(
        (sign().split(".")[0], craft({}, body={**CLAIMS, "sub": "eve"}).split(".")[1], sign().split(".")[2])
    ),
    "unknown crit": lambda: truly_signed({"crit": ["exotic"], "exotic": 1}),
    "embedded jwk": lambda: truly_signed({"jwk": FOREIGN.as_dict(private=False)}),
    "jku": lambda: truly_signed({"jku": "https://evil.example/jwks"}),
    "x5u": lambda: truly_signed({"x5u": "https://evil.example/cert"}),
    "x5c": lambda: truly_signed({"x5c": ["AAAA"]}),
    "critical b64": lambda: truly_signed({"crit": ["b64"], "b64": True}),
    "b64 false": lambda: truly_signed({"b64": False}),
    "unknown kid": lambda: sign(FOREIGN),
    "foreign key under our kid": lambda: sign(FOREIGN, {"kid": KEY.kid}),
    "no kid": lambda: craft({"alg": "ES256"}, b"x" * 64),
    "kid of another type": lambda: craft({"alg": "ES256", "kid": 7}, b"x" * 64),
    "expired": lambda: sign(exp=NOW - 31),
    "no exp": lambda: sign(exp=None),
    "exp as text": lambda: sign(exp=str(NOW + 300)),
    "exp NaN": lambda: sign(exp=float("nan")),
    "not yet": lambda: sign(nbf=NOW + 31),
    "issued in the future": lambda: sign(iat=NOW + 31),
    "no iat": lambda: sign(iat=None),
    "wrong aud": lambda: sign(aud="memory"),
    "no aud": lambda: sign(aud=None),
    "empty aud": lambda: sign(aud=[]),
    "wrong iss": lambda: sign(iss="evil"),
    "no iss": lambda: sign(iss=None),
    "no sub": lambda: sign(sub=None),
    "empty sub": lambda: sign(sub=""),
    "sub as number": lambda: sign(sub=7),
    "no tenant": lambda: sign(tenant=None),
    "empty tenant": lambda: sign(tenant=""),
    "tenant as list": lambda: sign(tenant=["acme"]),
    "scope as list": lambda: sign(scope=["runs.read"]),
    "act as text": lambda: sign(act="service:orchestrator"),
    "act without sub": lambda: sign(act={}),
    "act with empty sub": lambda: sign(act={"sub": ""}),
    "body is a list": lambda: jws.serialize_compact({"alg": "ES256", "kid": KEY.kid}, "[]", KEY, algorithms=["ES256"]),
    "one megabyte": lambda: sign(scope="x" * 1_000_000),
    "a million dots": lambda: "." * 1_000_000,
    "deep header": lambda: base64.urlsafe_b64encode(b"[" * 3000).decode() + ".x.x",
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_token_is_refused_in_the_same_words(verifier: TokenVerifier, case: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await HeaderAuthenticator(verifier).authenticate({"authorization": f"Bearer {BAD[case]()}"})
    assert caught.value.message == "the credentials are missing, expired, malformed or not for this service"
    assert caught.value.reason == "UNAUTHENTICATED"
    assert not caught.value.metadata


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": ""}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"x-api-key": ""}],
)
async def test_no_credentials_are_refused_the_same(verifier: TokenVerifier, headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        await HeaderAuthenticator(verifier).authenticate(headers)


async def test_a_good_token_names_its_caller(verifier: TokenVerifier) -> None:
    caller = await verifier.verify(sign(act={"sub": "service:orchestrator"}))
    scopes = frozenset({"runs.read", "runs.write"})
    assert caller == CallContext("acme", "ada", scopes, actor="service:orchestrator")
    assert caller.service == "orchestrator"


async def test_the_tokens_that_this_test_signs_by_hand_are_good_but_for_their_headers(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(truly_signed({}))).subject == "ada"


async def test_what_is_allowed_is_taken(verifier: TokenVerifier, clock: FrozenClock) -> None:
    assert (await verifier.verify(sign(ED_KEY, {"alg": "Ed25519"}))).subject == "ada"
    assert (await verifier.verify(sign(aud=["other", "agentmesh"]))).actor is None
    assert (await verifier.verify(sign(scope=None))).scopes == frozenset()
    clock.advance(300 + 29)  # the leeway, for clocks that differ
    await verifier.verify(sign())
    clock.advance(2)
    with pytest.raises(Unauthenticated):
        await verifier.verify(sign())


async def test_a_proof_is_remembered_for_seconds_and_never_beyond_the_token(tmp_path: Path, clock: FrozenClock) -> None:
    asked = 0

    class Keys:
        document = KeySet([KEY])

        async def keys(self, kid: str) -> KeySet:
            nonlocal asked
            asked += 1
            return self.document

    source = Keys()
    verifier = TokenVerifier(source, issuer="agentmesh", audience="agentmesh", clock=clock)
    token = sign()
    assert await verifier.verify(token) == await verifier.verify(token)
    assert asked == 1
    source.document = KeySet([FOREIGN])  # the key is withdrawn
    clock.advance(PROVEN_SECONDS)
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)
    source.document = KeySet([KEY])
    short = sign(exp=NOW + 10 - LEEWAY_SECONDS + 5)
    await verifier.verify(short)
    clock.advance(5)
    with pytest.raises(Unauthenticated):
        await verifier.verify(short)


async def test_verifying_takes_less_than_a_millisecond(tokens_and_verifier: tuple[str, TokenVerifier]) -> None:
    token, verifier = tokens_and_verifier
    took = []
    for _ in range(50):
        verifier._proven.clear()
        started = time.perf_counter()
        await verifier.verify(token)
        took.append(time.perf_counter() - started)
    assert statistics.median(took) < 0.001


@pytest.fixture
def tokens_and_verifier(tmp_path: Path) -> tuple[str, TokenVerifier]:
    tokens = TestTokens(tmp_path)
    keys = FileKeys(tokens.files.public)
    return tokens.token("runs.read"), TokenVerifier(keys, issuer="agentmesh", audience="agentmesh")
