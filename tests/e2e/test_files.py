"""Files through the door: brought from the command line, worked on by an agent, taken as JSON."""

import base64
import hashlib
from pathlib import Path

import httpx
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import CreateAgentRequest
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest
from agentmesh.orchestrator.v1.session_service_pb2 import CreateSessionRequest

from meshclient import MeshClient, new_request_id
from tests.e2e.running import RunningMesh
from tests.fakes.model_server import ModelServer, call, say

LARGEST = 2 * 1024 * 1024
PROGRAM = """
import hashlib, pathlib
content = pathlib.Path("My data 1.bin").read_bytes()
pathlib.Path("out/digest.txt").write_text(hashlib.sha256(content).hexdigest())
print(len(content), "bytes")
"""


async def test_a_file_goes_in_is_worked_on_and_comes_out(
    mesh: RunningMesh, model_server: ModelServer, tmp_path: Path
) -> None:
    token = mesh.token()
    environ = {"MESH_ADDRESS": mesh.address, "MESH_TOKEN": token}
    content = bytes(range(256)) * (LARGEST // 256)
    (tmp_path / "My data 1.bin").write_bytes(content)
    model_server.script(
        call("run_python", {"code": PROGRAM, "files": ["My data 1.bin"]}, ids="p"),
        call("chart", {"kind": "pie", "data": "a,b\nx,1\ny,2\n", "x": "a", "y": ["b"], "title": "Parts"}, ids="c"),
        say("Both files are there."),
        when="digest my data",
    )
    async with MeshClient(mesh.address, token=token) as client:
        spec = {"runtime": "langchain", "tools": ["run_python", "chart"]}
        agent = {"name": "clerk", "description": "Works on files.", "spec": spec}
        await client.agents.CreateAgent(CreateAgentRequest(request_id=new_request_id(), agent=agent))
        session = (await client.sessions.CreateSession(CreateSessionRequest(request_id=new_request_id()))).id

        put = mesh.cli("files", "put", session, str(tmp_path / "My data 1.bin"), **environ)
        assert put.returncode == 0, put.stderr
        request = CreateRunRequest(request_id=new_request_id(), session=session, agent="clerk", input="digest my data")
        events = [event async for event in client.run(request)]
    run = events[0].run
    written = [event.file_written.name for event in events if event.HasField("file_written")]
    assert written == ["digest.txt", "parts.svg"]

    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://{mesh.address}/v1/sessions", headers=headers) as http:
        listed = (await http.get(f"/{session}/files")).json()
        assert [file["name"] for file in listed["files"]] == ["My data 1.bin", "digest.txt", "parts.svg"]
        assert [file.get("run", "") for file in listed["files"]] == ["", run, run]
        made = (await http.get(f"/{session}/files/digest.txt")).json()
        assert base64.b64decode(made["content"]).decode() == hashlib.sha256(content).hexdigest()
        brought = (await http.get(f"/{session}/files/My%20data%201.bin")).json()
        assert base64.b64decode(brought["content"]) == content
        body = {"request_id": new_request_id(), "name": "big", "content": base64.b64encode(content).decode()}
        assert (await http.post(f"/{session}/files", json=body)).status_code == 200
        body = {"request_id": new_request_id(), "name": "../x", "content": ""}
        refused = await http.post(f"/{session}/files", json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, 3)

    table = mesh.cli("files", "list", session, **environ).stdout
    assert all(name in table for name in ("My data 1.bin", "2,097,152", "text/plain", run))
    picture = mesh.cli("files", "get", session, "parts.svg", **environ)
    assert picture.stdout.startswith("<svg")
    assert mesh.cli("files", "get", session, "big", "-o", str(tmp_path / "copy"), **environ).returncode == 0
    assert (tmp_path / "copy").read_bytes() == content
    assert mesh.cli("files", "rm", session, "big", **environ).returncode == 0
    assert mesh.cli("files", "get", session, "big", **environ).returncode == 3
