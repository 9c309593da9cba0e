"""What the mesh refuses, and how it says so: credentials, other people's things, wrong fields; and what never leaks."""

import time
from pathlib import Path

import grpc
import httpx
import pytest
from agentmesh.memory.v1.memory_service_pb2 import GetFactRequest, PutFactRequest
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest, GetRunRequest, ListRunsRequest
from agentmesh.orchestrator.v1.session_service_pb2 import CreateSessionRequest, GetSessionRequest

from meshclient import MeshClient, new_request_id
from meshkit.auth.issuer import INTERNAL_ISSUER, TokenIssuer, create_keys
from meshkit.errors import InvalidArgument, MeshError, NotFound, PermissionDenied, Unauthenticated
from meshkit.rpc.status import from_rpc_error
from tests.e2e.running import RunningMesh
from tests.fakes.model_server import ModelServer, fail


def expired(mesh: RunningMesh, directory: Path) -> str:
    return mesh.token(lifetime=-3600)


def foreign(mesh: RunningMesh, directory: Path) -> str:
    issuer = TokenIssuer(create_keys(directory).private, issuer="agentmesh")
    return issuer.issue(audience="agentmesh", tenant="default", subject="ada", scopes=["runs.read"])


def internal(mesh: RunningMesh, directory: Path) -> str:
    key = mesh.state / "keys" / "users" / "signing-key.pem"
    return TokenIssuer(key, issuer=INTERNAL_ISSUER).issue(
        audience="orchestrator", tenant="default", subject="service:agent", scopes=["runs.read"]
    )


@pytest.mark.parametrize("make", [expired, foreign, internal, lambda mesh, directory: "no.to.ken"])
async def test_a_bad_token_is_refused_at_every_door(mesh: RunningMesh, tmp_path: Path, make) -> None:
    token = make(mesh, tmp_path)
    async with MeshClient(mesh.address, token=token) as client:
        with pytest.raises(Unauthenticated):
            await client.runs.ListRuns(ListRunsRequest())
    async with httpx.AsyncClient(base_url=f"http://{mesh.address}") as http:
        answer = await http.get("/v1/runs", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert (await http.get("/v1/runs")).status_code == 401
    done = mesh.cli("runs", "list", MESH_ADDRESS=mesh.address, MESH_TOKEN=token)
    assert done.returncode == 4
    assert token not in done.stderr


async def test_a_missing_scope_is_named(mesh: RunningMesh) -> None:
    async with MeshClient(mesh.address, token=mesh.token(scopes=("runs.read",))) as client:
        with pytest.raises(PermissionDenied) as caught:
            await client.runs.CreateRun(CreateRunRequest(request_id="x", input="hello"))
    assert caught.value.metadata["scope"] == "runs.write"


async def test_another_tenants_things_are_not_found(mesh: RunningMesh) -> None:
    async with (
        MeshClient(mesh.address, token=mesh.token("ada", tenant="here")) as mine,
        MeshClient(mesh.address, token=mesh.token("ada", tenant="there")) as theirs,
    ):
        session = await mine.sessions.CreateSession(CreateSessionRequest(request_id=new_request_id()))
        run = await mine.runs.CreateRun(CreateRunRequest(request_id=new_request_id(), input="hi", session=session.id))
        fact = await mine.facts.PutFact(PutFactRequest(request_id=new_request_id(), key="city", value="Paris"))
        for prefix, real, ask in (
            ("ses", session.id, lambda name: theirs.sessions.GetSession(GetSessionRequest(session=name))),
            ("run", run.id, lambda name: theirs.runs.GetRun(GetRunRequest(run=name))),
            ("fact", fact.id, lambda name: theirs.facts.GetFact(GetFactRequest(fact=name))),
        ):
            words = []
            for name in (real, f"{prefix}_01JAAAAAAAAAAAAAAAAAAAAAAA"):
                with pytest.raises(NotFound) as caught:
                    await ask(name)
                words.append(caught.value.message.replace(name, ""))
            assert words[0] == words[1]
        assert not (await theirs.runs.ListRuns(ListRunsRequest())).runs


async def test_a_wrong_field_is_named_at_every_door(mesh: RunningMesh) -> None:
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        with pytest.raises(InvalidArgument) as caught:
            await client.runs.CreateRun(CreateRunRequest(request_id="x", input=""))
    assert [violation.field for violation in caught.value.field_violations] == ["input"]
    async with httpx.AsyncClient(base_url=f"http://{mesh.address}") as http:
        headers = {"authorization": f"Bearer {mesh.token()}"}
        answer = await http.post("/v1/runs", json={"request_id": "x"}, headers=headers)
        assert answer.status_code == 400
        details = {detail["@type"].rpartition(".")[2]: detail for detail in answer.json()["details"]}
        assert details["ErrorInfo"]["reason"] == "FIELD_INVALID"
        fields = details["BadRequest"].get("field_violations") or details["BadRequest"]["fieldViolations"]
        assert fields[0]["field"] == "input"
        assert (await http.post("/v1/runs", json={"inputt": "x"}, headers=headers)).status_code == 400


@pytest.mark.parametrize("method", ["RunService/GetRun", "RunService/StreamRun", "SessionService/ListMessages"])
async def test_bytes_that_are_no_message_are_refused(mesh: RunningMesh, method: str) -> None:
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        call = channel.unary_unary(f"/agentmesh.orchestrator.v1.{method}")
        for broken in (b"\x0a\x02\xff\xfe", b"\xff\xff\xff"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(broken, metadata=[("authorization", f"Bearer {mesh.token()}")])
            error = from_rpc_error(caught.value)
            assert (error.code, error.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
    async with httpx.AsyncClient(base_url=f"http://{mesh.address}") as http:
        answer = await http.get("/v1/runs?session=%ff", headers={"authorization": f"Bearer {mesh.token()}"})
        assert answer.status_code == 400


async def test_an_unknown_agent_is_not_found(mesh: RunningMesh) -> None:
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        with pytest.raises(NotFound):
            await client.runs.CreateRun(CreateRunRequest(request_id=new_request_id(), input="hi", agent="nobody"))


async def test_the_models_key_is_in_no_log_event_or_error(
    mesh: RunningMesh, model_server: ModelServer, model_key: str
) -> None:
    model_server.script(*[fail(401, text=f"bad key {model_key}")] * 3, when="refuse me")
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        events = [event async for event in client.run(CreateRunRequest(request_id=new_request_id(), input="refuse me"))]
    assert events[-1].state_changed.failure.source == "model"
    assert model_key not in str(events)
    assert model_server.about("refuse me")[0].headers["authorization"] == f"Bearer {model_key}"
    for log in (mesh.state / "logs").glob("*.log"):
        assert model_key not in log.read_text(), log.name


async def test_retrying_a_creation_makes_one_run(mesh: RunningMesh) -> None:
    request = CreateRunRequest(request_id=new_request_id(), input="only once")
    async with MeshClient(mesh.address, token=mesh.token(f"once-{time.time_ns()}")) as client:
        first, again = await client.runs.CreateRun(request), await client.runs.CreateRun(request)
        assert first.id == again.id
        request.input = "something else"
        with pytest.raises(MeshError) as caught:
            await client.runs.CreateRun(request)
        assert caught.value.reason == "REQUEST_ID_REUSED"
