"""The first conversation, through each of the five doors: a name told in one session is recalled in a new one."""

import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable

import httpx
import pytest
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest, StreamRunRequest

from meshclient import MeshClient, new_request_id
from tests.e2e.running import ROOT, RunningMesh
from tests.fakes.grpc_web import GrpcWebClient

TOLD = "My name is Ada and I prefer short answers"
ASKED = "What is my name?"
STREAM = "agentmesh.orchestrator.v1.RunService/StreamRun"

Door = Callable[[RunningMesh, str, str], Awaitable[str]]


async def by_command_line(mesh: RunningMesh, token: str, text: str) -> str:
    done = mesh.cli("chat", text, MESH_ADDRESS=mesh.address, MESH_TOKEN=token)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def by_python_client(mesh: RunningMesh, token: str, text: str) -> str:
    async with MeshClient(mesh.address, token=token) as client:
        request = CreateRunRequest(request_id=new_request_id(), input=text)
        return "".join([event.token_delta.text async for event in client.run(request)])


async def by_grpc_web(mesh: RunningMesh, token: str, text: str) -> str:
    async with httpx.AsyncClient(base_url=f"http://{mesh.address}", timeout=30) as http:
        client = GrpcWebClient(http, {"authorization": f"Bearer {token}"})
        request = StreamRunRequest(run=CreateRunRequest(request_id=new_request_id(), input=text))
        return "".join([event.token_delta.text async for event in client.stream(f"/{STREAM}", request, RunEvent)])


async def by_json(mesh: RunningMesh, token: str, text: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine; the door's own tests speak JSON by httpx")
    body = json.dumps({"run": {"request_id": new_request_id(), "input": text}})
    headers = ["-H", f"authorization: Bearer {token}", "-H", "content-type: application/json"]
    done = subprocess.run(
        ["curl", "-sSN", *headers, "-d", body, f"http://{mesh.address}/v1/runs:stream"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return joined(done.stdout)


async def by_grpcurl(mesh: RunningMesh, token: str, text: str) -> str:
    grpcurl = ROOT / ".cache/bin/grpcurl"
    if not grpcurl.exists():
        pytest.skip("grpcurl is built with Go, which this machine does not have; buf curl covers the same call")
    body = json.dumps({"run": {"request_id": new_request_id(), "input": text}})
    done = subprocess.run(
        [grpcurl, "-plaintext", "-H", f"authorization: Bearer {token}", "-d", body, mesh.address, STREAM],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return joined(done.stdout)


async def by_buf_curl(mesh: RunningMesh, token: str, text: str) -> str:
    credentials = f"authorization: Bearer {token}"
    return buf_curl(mesh, text, "--protocol", "grpc", "--reflect", "--reflect-header", credentials, "-H", credentials)


async def by_buf_curl_over_grpc_web(mesh: RunningMesh, token: str, text: str) -> str:
    return buf_curl(mesh, text, "--protocol", "grpcweb", "--schema", "proto", "-H", f"authorization: Bearer {token}")


def buf_curl(mesh: RunningMesh, text: str, *options: str) -> str:
    body = json.dumps({"run": {"requestId": new_request_id(), "input": text}})
    command = [ROOT / ".venv-gen/bin/buf", "curl", *options, "--http2-prior-knowledge"]
    done = subprocess.run(
        [*command, "-d", body, f"http://{mesh.address}/{STREAM}"],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return joined(done.stdout)


def joined(stream: str) -> str:
    """Return the text of the token events in a stream of JSON documents."""
    decoder, text, place = json.JSONDecoder(), "", 0
    while place < len(stream.rstrip()):
        event, place = decoder.raw_decode(stream, place + len(stream[place:]) - len(stream[place:].lstrip()))
        text += (event.get("tokenDelta") or event.get("token_delta") or {}).get("text", "")
    return text


@pytest.mark.parametrize(
    "door",
    [by_command_line, by_python_client, by_grpc_web, by_json, by_grpcurl, by_buf_curl, by_buf_curl_over_grpc_web],
)
async def test_a_name_is_recalled_in_a_new_session(offline_mesh: RunningMesh, door: Door) -> None:
    token = offline_mesh.token(subject=f"user-{door.__name__}")
    await door(offline_mesh, token, TOLD)
    answer = await door(offline_mesh, token, ASKED)
    assert "Ada" in answer


async def test_a_name_is_not_recalled_for_somebody_else(offline_mesh: RunningMesh) -> None:
    await by_python_client(offline_mesh, offline_mesh.token("teller"), TOLD)
    for stranger in (offline_mesh.token("listener"), offline_mesh.token("teller", tenant="other")):
        assert "Ada" not in await by_python_client(offline_mesh, stranger, ASKED)


async def test_the_offline_model_says_that_it_is_no_language_model(offline_mesh: RunningMesh) -> None:
    answer = await by_python_client(offline_mesh, offline_mesh.token("curious"), "Write me a poem about the sea")
    assert "no language model" in answer.lower()


async def test_a_tool_is_called_and_its_result_told(offline_mesh: RunningMesh) -> None:
    done = offline_mesh.cli("chat", "use the calculator: 12*7+1")
    assert done.returncode == 0, done.stderr
    assert "85" in done.stdout
    assert "calls calculator" in done.stderr
