"""AutoGen's process as its neighbours see it: what it connects to, what it logs and traces, what it leaves behind."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
from agentmesh.agent.v1 import team_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, call, say
from tests.integration.agent.conftest import Client, Run, agent_process, logged, until
from tests.integration.agent.memory_peer import MemoryPeer, memory_server

GUARDED = Path(__file__).with_name("guarded.py")


def team(kind: int, *tools: str) -> dict[str, Any]:
    members = [team_pb2.TeamMember(name=name, role="Helps", tools=tools) for name in ("writer", "critic")]
    return {"team": team_pb2.Team(kind=kind, members=members, max_turns=2)}


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    async def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the contract's name
        self.spans += [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


async def test_it_tells_nobody_what_is_said(
    tmp_path: Path, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-a-file\n")
    report, collector, server = tmp_path / "report", Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    traces = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tool = call("calculator", {"expression": "6*7"})
    model.script(tool, say("Forty-two."), say("Secretly right."), when="guarded team")
    process = agent_process(
        tmp_path,
        model.url,
        tokens,
        ledger,
        runtime="autogen",
        arguments=(str(GUARDED), str(report)),
        MESH_LOG_LEVEL="debug",
        MESH_OTLP_ENDPOINT=f"http://127.0.0.1:{traces}",
    )
    with process as running:
        async with running.channel() as channel:
            client = Client(channel, tokens, "autogen")
            run = await client.run("guarded team", spec=team(team_pb2.TEAM_KIND_ROUND_ROBIN, "calculator"))
        running.child.terminate()
        assert await asyncio.to_thread(running.child.wait, 15) == 0
        assert logged(running), "every line of the output is JSON"
        told = running.log.read_text() + str(collector.spans)
    await server.stop(None)
    assert run.all("completed")[0].output == "Secretly right."
    assert collector.spans
    for secret in ("guarded team", "Forty-two", "Secretly", "from-a-file", "sk-of-somebody-else"):
        assert secret not in told
    seen = set(report.read_text().splitlines())
    port = int(model.url.rpartition(":")[2].partition("/")[0])
    own = {line for line in seen if line.startswith("connect")} - {f"connect ('127.0.0.1', {port})"}
    assert len(own) == 1, own  # the gateway
    assert seen - own - {f"connect ('127.0.0.1', {port})"} <= {"look up '127.0.0.1'", "subprocess.Popen 'uname'"}


class SlowMemory(MemoryPeer):
    """Never answers; notes who waits and who has left."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = self.left = 0

    async def SearchFacts(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the contract's name
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.left += 1


async def test_a_run_that_is_left_takes_its_tools_along(
    tmp_path: Path, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> None:
    at, peer = f"unix:{tmp_path}/memory.sock", SlowMemory()
    token = tokens.service_token("memory.read", service="agent", audience="memory", subject="ada")
    both = call("memory_search", {"query": "x"}, ("memory_search", {"query": "y"}))
    variables = {"MESH_MEMORY_ADDRESS": at, "MESH_MAX_RUNS": "1"}
    with agent_process(tmp_path, model.url, tokens, ledger, runtime="autogen", **variables) as process:
        async with memory_server(peer, tokens, at), process.channel() as channel:
            client = Client(channel, tokens, "autogen")
            for count, kind in enumerate([None, team_pb2.TEAM_KIND_ROUND_ROBIN], 1):
                model.script(both, when="search for ever")
                spec = {"tools": ["memory_search"]} if kind is None else team(kind, "memory_search")
                wanted = spec.pop("tools", [])
                run = client.run("search for ever", *wanted, into=Run(), spec=spec, memory_token=token)
                task = asyncio.create_task(run)
                await until(lambda count=count: peer.waiting == 2 * count)
                task.cancel()
                await until(lambda: peer.left == peer.waiting, 1.0)
            # There is room for one run only: those before have gone, and left nothing that would count.
            await until(lambda: model.open_calls() == 0)
            model.script(say("Still here."), when="after all")
            assert (await client.run("after all")).all("completed")[0].output == "Still here."
    assert len(model.about("search for ever")) == 2
    assert not [line for line in logged(process) if line["level"] == "error"]
