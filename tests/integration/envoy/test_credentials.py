"""Who may pass the door: good tokens and API keys; what is missing, the service refuses; what is bad, the door."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
import pytest
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2_grpc
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from meshkit.auth.issuer import KeyFiles, TokenIssuer, create_keys
from meshkit.errors import MeshError, Unauthenticated
from meshkit.rpc.status import from_rpc_error
from tests.fakes.grpc_web import GrpcWebClient
from tests.integration.envoy.backend import GET_RUN, RUNS, Backend, native
from tests.integration.envoy.door import Door, open_door, without_trace

pytestmark = pytest.mark.asyncio(loop_scope="module")

Issue = Callable[..., str]


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims_of(token: str) -> dict[str, object]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


@pytest.fixture(scope="module")
def bad_tokens(keys: KeyFiles, issue: Issue, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    good = issue()
    claims = claims_of(good)
    header, payload, signature = good.split(".")
    stranger = create_keys(tmp_path_factory.mktemp("stranger"))
    secret = OctKey.import_key(keys.public.read_bytes())
    key = ECKey.import_key(keys.private.read_bytes())
    kid = json.loads(keys.public.read_text())["keys"][0]["kid"]
    endless = {name: value for name, value in claims.items() if name != "exp"}
    return {
        "expired": issue(lifetime=-60),
        "foreign issuer": issue(issuer="elsewhere"),
        "the mesh's own issuer": issue(issuer="agentmesh-internal", audience="orchestrator"),
        "foreign audience": issue(audience="elsewhere"),
        "foreign key": TokenIssuer(stranger.private, issuer="agentmesh").issue(
            audience="agentmesh", tenant="acme", subject="ada", scopes=["runs.read"]
        ),
        "no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "public key as secret": jwt.encode({"alg": "HS256", "kid": kid}, claims, secret),
        "unsigned": f"{header}.{payload}.",
        "changed": f"{header}.{part({**claims, 'sub': 'root'})}.{signature}",
        "no expiry": jwt.encode({"alg": "ES256", "kid": kid}, endless, key),
        "not yet": jwt.encode({"alg": "ES256", "kid": kid}, {**claims, "nbf": claims["exp"]}, key),
        "no token at all": "hello",
    }


NAMES = (
    "expired",
    "foreign issuer",
    "the mesh's own issuer",
    "foreign audience",
    "foreign key",
    "no algorithm",
    "public key as secret",
    "unsigned",
    "changed",
    "no expiry",
    "not yet",
    "no token at all",
)


async def ask(door: Door, protocol: str, headers: Mapping[str, str]) -> run_pb2.Run:
    """Call GetRun. Raises the MeshError that the protocol carries."""
    if protocol == "native":
        async with native(door.address) as channel:
            stub = run_service_pb2_grpc.RunServiceStub(channel)
            try:
                return await stub.GetRun(GET_RUN(run="run_1"), metadata=tuple(headers.items()))
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from None
    async with door.http(http2=protocol == "web2") as http:
        return await GrpcWebClient(http, headers).unary(f"{RUNS}/GetRun", GET_RUN(run="run_1"), run_pb2.Run)


@pytest.mark.parametrize("protocol", ["native", "web", "web2"])
async def test_a_good_token_and_a_good_key_pass(door, backend, bearer, protocol: str) -> None:
    assert (await ask(door, protocol, bearer)).user == "ada"
    assert (await ask(door, protocol, {"authorization": f"Bearer {backend.api_key}"})).user == "backend"
    assert (await ask(door, protocol, {"x-api-key": backend.api_key})).user == "backend"


@pytest.mark.parametrize("name", NAMES)
async def test_a_bad_token_is_refused_at_the_door(
    door: Door, backend: Backend, bad_tokens: dict[str, str], name: str
) -> None:
    headers = {"authorization": f"Bearer {bad_tokens[name]}"}
    texts = set()
    for protocol in ("native", "web", "web2"):
        with pytest.raises(Unauthenticated) as refused:
            await ask(door, protocol, headers)
        assert refused.value.reason == "UNAUTHENTICATED"
        texts.add(refused.value.message)
    async with door.http(headers=headers) as http:
        answer = await http.get("/v1/runs/run_1")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == 16
    assert answer.json()["details"][0]["reason"] == "UNAUTHENTICATED"
    texts.add(answer.json()["message"])
    assert len(texts) == 1, "the text tells which check failed"
    assert not backend.asked, "the call reached the service"


async def test_every_bad_token_is_tried(bad_tokens: dict[str, str]) -> None:
    assert set(bad_tokens) == set(NAMES)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer mesh_0123_wrong"}, {"x-api-key": "mesh_0_wrong"}])
async def test_the_service_refuses_what_the_door_cannot_judge(
    door: Door, backend: Backend, bad_tokens: dict[str, str], headers: dict[str, str]
) -> None:
    """It looks exactly like a refusal of the door."""
    said: list[tuple[type[MeshError], str, str]] = []
    for tried in (headers, {"authorization": f"Bearer {bad_tokens['expired']}"}):
        for protocol in ("native", "web"):
            with pytest.raises(MeshError) as refused:
                await ask(door, protocol, tried)
            said.append((type(refused.value), refused.value.reason, refused.value.message))
    assert len(set(said)) == 1
    async with door.http() as http:
        bodies = [
            (await http.get("/v1/runs/run_1", headers=tried)).json()
            for tried in (headers, {"authorization": f"Bearer {bad_tokens['expired']}"})
        ]
    assert without_trace(bodies[0]) == without_trace(bodies[1])
    assert not backend.runs.seen


async def test_a_token_in_the_query_is_no_credential(door: Door, bearer: dict[str, str]) -> None:
    token = bearer["authorization"].removeprefix("Bearer ")
    async with door.http() as http:
        answer = await http.get("/v1/runs/run_1", params={"access_token": token})
    assert answer.status_code == 400


async def test_a_huge_token_is_refused(door: Door, backend: Backend) -> None:
    async with door.http(headers={"authorization": "Bearer " + "a" * 1_000_000}) as http:
        answer = await http.get("/v1/runs/run_1")
    assert answer.status_code == 431
    assert not backend.runs.seen


async def test_the_access_log_keeps_no_credential_and_no_query(
    backend: Backend, keys: KeyFiles, bearer: dict[str, str], tmp_path: Path
) -> None:
    addresses = [backend.address]
    async with (
        open_door(tmp_path, orchestrator=addresses, memory=addresses, jwks=keys.public) as door,
        door.http(headers={**bearer, "x-api-key": backend.api_key, "x-request-id": "find-me"}) as http,
    ):
        answer = await http.get("/v1/runs/run_1", params={"view": "RUN_VIEW_BASIC"})
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] == "find-me"
    (line,) = door.access()  # written when Envoy ends
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/runs/run_1", 200)
    assert (line["request_id"], line["upstream"]) == ("find-me", backend.address)
    text = door.log.read_text()
    assert "RUN_VIEW_BASIC" not in text
    assert backend.api_key not in text
    assert bearer["authorization"].split(".")[1] not in text
