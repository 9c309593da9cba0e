"""Where keys come from: rotation, a lost issuer, a flood of unknown ids; and how local keys are made."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import ECKey, KeySet

from meshkit import context
from meshkit.auth.api_keys import ApiKeyVerifier, FileApiKeys, new_api_key
from meshkit.auth.authenticator import HeaderAuthenticator, build_authenticator
from meshkit.auth.issuer import PeerTokens, TokenIssuer, create_keys
from meshkit.auth.keys import FileKeys, KeysUnavailableError, UrlKeys
from meshkit.auth.tokens import TokenVerifier
from meshkit.config import AuthSettings, ConfigError
from meshkit.context import CallContext
from meshkit.errors import Unauthenticated
from meshkit.testing.clock import FrozenClock
from meshkit.testing.credentials import TestTokens

OLD, NEW = ECKey.generate_key("P-256", auto_kid=True), ECKey.generate_key("P-256", auto_kid=True)
assert OLD.kid
assert NEW.kid


def jwks(*keys: ECKey) -> str:
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


class Issuer:
    """An identity provider's key document, served over HTTP's own types."""

    def __init__(self, *keys: ECKey) -> None:
        self.document, self.up, self.fetched = jwks(*keys), True, 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.fetched += 1
        await asyncio.sleep(0)
        return httpx.Response(200, text=self.document) if self.up else httpx.Response(503)


def kids(keys: KeySet) -> set[str | None]:
    return {key.kid for key in keys.keys}


def url_keys(issuer: Issuer, clock: FrozenClock) -> UrlKeys:
    client = httpx.AsyncClient(transport=httpx.MockTransport(issuer))
    return UrlKeys("https://issuer.example/jwks", client, clock)


async def test_a_rotated_key_is_fetched_when_a_token_names_it() -> None:
    issuer, clock = Issuer(OLD), FrozenClock()
    keys = url_keys(issuer, clock)
    assert kids(await keys.keys(OLD.kid)) == {OLD.kid}
    issuer.document = jwks(OLD, NEW)
    assert kids(await keys.keys(NEW.kid)) == {OLD.kid}  # looked up less than a minute ago
    clock.advance(61)
    assert kids(await keys.keys(NEW.kid)) == {OLD.kid, NEW.kid}


async def test_a_thousand_unknown_ids_cost_one_look_up_a_minute() -> None:
    issuer, clock = Issuer(OLD), FrozenClock()
    keys = url_keys(issuer, clock)
    await keys.keys(OLD.kid)
    clock.advance(61)
    await asyncio.gather(*(keys.keys(f"made-up-{number}") for number in range(1000)))
    assert issuer.fetched == 2


async def test_many_callers_at_start_cause_one_fetch() -> None:
    issuer = Issuer(OLD)
    keys = url_keys(issuer, FrozenClock())
    await asyncio.gather(*(keys.keys(OLD.kid) for _ in range(100)))
    assert issuer.fetched == 1


async def test_known_keys_serve_on_while_the_issuer_is_away() -> None:
    issuer, clock = Issuer(OLD), FrozenClock()
    keys = url_keys(issuer, clock)
    await keys.keys(OLD.kid)
    issuer.up = False
    clock.advance(3600)
    assert kids(await keys.keys(OLD.kid)) == {OLD.kid}
    issuer.up, issuer.document = True, jwks(NEW)
    clock.advance(61)
    assert kids(await keys.keys(OLD.kid)) == {NEW.kid}  # withdrawn keys go


async def test_without_any_key_nobody_is_believed_until_the_issuer_answers() -> None:
    issuer, clock = Issuer(OLD), FrozenClock()
    issuer.up = False
    keys = url_keys(issuer, clock)
    with pytest.raises(KeysUnavailableError):
        await keys.keys(OLD.kid)
    issuer.up = True
    clock.advance(1)
    assert kids(await keys.keys(OLD.kid)) == {OLD.kid}


async def test_a_changed_file_is_read_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path, clock = tmp_path / "jwks.json", FrozenClock()
    keys = FileKeys(path, clock)
    with pytest.raises(KeysUnavailableError):
        await keys.keys(OLD.kid)
    path.write_text(jwks(OLD))
    assert kids(await keys.keys(OLD.kid)) == {OLD.kid}
    path.write_text(jwks(OLD, NEW))
    clock.advance(1)
    assert kids(await keys.keys(NEW.kid)) == {OLD.kid, NEW.kid}
    path.write_text('{"keys": [')
    clock.advance(1)
    assert kids(await keys.keys(NEW.kid)) == {OLD.kid, NEW.kid}


async def test_secret_keys_in_a_document_are_never_used(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text('{"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}')
    assert kids(await FileKeys(path).keys("x")) == set()


def test_local_keys_are_private_and_made_once(tmp_path: Path) -> None:
    files = create_keys(tmp_path / "keys")
    assert files.private.stat().st_mode & 0o777 == 0o600
    assert files.private.parent.stat().st_mode & 0o777 == 0o700
    before = files.private.read_bytes()
    assert create_keys(tmp_path / "keys").private.read_bytes() == before
    document = files.public.read_text()
    assert '"d"' not in document
    with pytest.raises(ConfigError):
        TokenIssuer(files.public, issuer="agentmesh")


async def test_a_service_speaks_for_the_user_of_the_call(tmp_path: Path) -> None:
    tokens, clock = TestTokens(tmp_path), FrozenClock(0)
    verifier = TokenVerifier(FileKeys(tokens.files.public), issuer="agentmesh", audience="memory")
    peer = PeerTokens(tokens.issuer, service="orchestrator", audience="memory", scopes={"memory.read"}, clock=clock)
    own = await verifier.verify(peer())
    assert (own.tenant, own.subject, own.actor, own.service) == ("system", "service:orchestrator", None, "orchestrator")
    user = CallContext("acme", "ada", frozenset({"runs.write", "admin"}))
    with context.use(user):
        first = peer()
        assert peer() == first
        seen = await verifier.verify(first)
        clock.advance(151)
        renewed = peer()
    assert (seen.tenant, seen.subject, seen.service) == ("acme", "ada", "orchestrator")
    assert seen.scopes == {"memory.read"}  # never the user's own
    assert renewed != first
    with context.use(CallContext("zeta", "bob")):
        assert (await verifier.verify(peer())).tenant == "zeta"


async def test_an_api_key_works_until_it_is_revoked(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", FrozenClock()
    store = FileApiKeys(path, clock)
    key, record = new_api_key(tenant="acme", subject="shop", scopes=frozenset({"runs.write"}))
    other, other_record = new_api_key(tenant="zeta", subject="bar", scopes=frozenset())
    store.save([record, other_record])
    assert path.stat().st_mode & 0o777 == 0o600
    assert key not in path.read_text()
    assert key.rpartition("_")[2] not in path.read_text()
    tokens = TokenVerifier(FileKeys(tmp_path / "none"), issuer="a", audience="b")
    authenticator = HeaderAuthenticator(tokens, ApiKeyVerifier(store))
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
        caller = await authenticator.authenticate(headers)
        assert caller == CallContext("acme", "shop", frozenset({"runs.write"}))
    assert key.startswith("mesh_")
    swapped = f"mesh_{record.id}_{other.rpartition('_')[2]}"
    for wrong in (
        key[:-1],
        key + "x",
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        swapped,
        "mesh_",
        "mesh__",
        "mesh_x_y",
    ):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate({"x-api-key": wrong})
    store.save([other_record])  # revoked
    clock.advance(5)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate({"x-api-key": key})
    await authenticator.authenticate({"x-api-key": other})


async def test_api_keys_are_refused_where_none_are_kept(tmp_path: Path) -> None:
    key, _ = new_api_key(tenant="acme", subject="shop", scopes=frozenset())
    authenticator = HeaderAuthenticator(TokenVerifier(FileKeys(tmp_path / "none"), issuer="a", audience="b"))
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate({"x-api-key": key})


def test_a_broken_file_of_api_keys_changes_nothing_and_a_missing_one_ends_all(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", FrozenClock()
    store = FileApiKeys(path, clock)
    _, record = new_api_key(tenant="acme", subject="shop", scopes=frozenset())
    store.save([record])
    assert store.find(record.id) == record
    path.write_text("{")
    clock.advance(2)
    assert store.find(record.id) == record
    path.unlink()
    clock.advance(2)
    assert store.find(record.id) is None


def test_no_api_key_makes_a_service() -> None:
    with pytest.raises(ValueError, match="tokens"):
        new_api_key(tenant="acme", subject="service:orchestrator", scopes=frozenset())


def test_the_mesh_never_runs_without_authentication() -> None:
    with pytest.raises(ConfigError, match="MESH_AUTH_JWKS_FILE"):
        build_authenticator(AuthSettings(auth_jwks_file=None, auth_jwks_url=None))
