"""What the ledger costs, and how soon a run goes on after a crash.

Owns these measurements: one step (BeginStep and CompleteStep) as an agent asks it, and a run of many steps whose agent
process, or whose orchestrator, is killed before its answer.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from agentmesh.agent.v1 import activity_pb2, agent_spec_pb2
from agentmesh.orchestrator.v1 import agent_catalog_service_pb2, ledger_service_pb2
from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import LedgerServiceStub
from agentmesh.orchestrator.v1.run_pb2 import Run
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from bench.model_server import ask, ask_tools
from bench.report import Table, spread
from bench.setting import Setting
from meshclient import MeshClient, new_request_id
from meshkit.rpc.channel import open_channel
from meshkit.rpc.service_config import load_service_config

if TYPE_CHECKING:  # the name exists for type checkers only
    from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

__all__ = ["ledger"]

_AGENT = "bench-ledger"
_MAX_STEPS = 200


async def ledger(setting: Setting, steps: int, tools: int) -> list[Table]:
    """Measure so many single steps, and runs that call so many tools."""
    client = setting.edge
    limits = agent_spec_pb2.RunLimits(max_model_calls=_MAX_STEPS, max_tool_calls=500)
    spec = agent_spec_pb2.AgentSpec(
        runtime="langchain", tools=["calculator"], memory=agent_spec_pb2.MEMORY_POLICY_NONE, limits=limits
    )
    await client.agents.CreateAgent(
        agent_catalog_service_pb2.CreateAgentRequest(request_id=new_request_id(), agent={"name": _AGENT, "spec": spec})
    )
    return [await _single_steps(setting, client, steps), await _crashes(setting, client, tools)]


async def _single_steps(setting: Setting, client: MeshClient, steps: int) -> Table:
    """Ask for steps in the name of a run whose own agent waits for its model."""
    table = Table(
        f"The ledger, {steps} steps one after the other",
        ("p50 ms", "p95 ms", "p99 ms"),
        "At the orchestrator, through gRPC, from another process; every step is committed before it is answered. What "
        "is replayed is read ahead, a hundred steps at a time.",
    )
    run = await _begin(client, ask("a long wait", tokens=2, gap=600))
    token = setting.ledger_token(run.id, (await client.control(run.id).get()).attempt)
    begins, completes, empties = [], [], []
    async with open_channel(setting.orchestrator, load_service_config("orchestrator"), credentials=lambda: token) as up:
        stub, health = cast("LedgerServiceAsyncStub", LedgerServiceStub(up)), cast("Any", HealthStub(up))
        for number in range(-10, steps):
            digest = sha256(f'calculator\0{{"n":{number}}}'.encode()).digest()
            asked = ledger_service_pb2.BeginStepRequest(
                kind=activity_pb2.STEP_KIND_TOOL,
                name="calculator",
                digest=digest,
                occurrence=1,
                arguments=f'{{"n":{number}}}',
                repeatable=True,
            )
            began = time.monotonic()
            verdict = await stub.BeginStep(asked)
            between = time.monotonic()
            done = ledger_service_pb2.CompleteStepRequest(step=verdict.step)
            done.result.tool.content = f"the answer is {number}"
            await stub.CompleteStep(done)
            ended = time.monotonic()
            await health.Check(HealthCheckRequest())
            if number >= 0:  # the ones before warm everything up
                begins.append(between - began)
                completes.append(ended - between)
                empties.append(time.monotonic() - ended)
        replays = [seconds async for seconds in _replays(stub, verdict.step[: verdict.step.index("-")])]
    await client.control(run.id).cancel()
    both = [begin + complete for begin, complete in zip(begins, completes, strict=True)]
    rows = {
        "BeginStep": begins,
        "CompleteStep": completes,
        "one step, both": both,
        "a replayed step": replays,
        "an empty call, to compare": empties,
    }
    for name, values in rows.items():
        table.add(name, spread(values, 0.5, 0.95, 0.99))
    return table


async def _replays(stub: "LedgerServiceAsyncStub", kind: str) -> AsyncIterator[float]:
    """Read all recorded steps ahead, page by page, as an agent that begins again; yield the seconds for each."""
    after = 1
    while True:
        began = time.monotonic()
        page = (await stub.ReplaySteps(ledger_service_pb2.ReplayStepsRequest(after=f"{kind}-{after}"))).steps
        if not page:
            return
        for _ in page:
            yield (time.monotonic() - began) / len(page)
        after = int(page[-1].step.rpartition("-")[2])


async def _crashes(setting: Setting, client: MeshClient, tools: int) -> Table:
    """Kill a process when a run has called all of its tools; see when it goes on."""
    table = Table(
        f"A run that calls {tools} tools, and a crash while it answers",
        ("steps recorded", "new attempt after s", "goes on after s"),
        "Since the kill: until the next attempt is told, and until the answer begins again, behind all recorded steps. "
        "The restart of the process is in it.",
    )
    for part in ("agent-langchain", "orchestrator"):
        table.add(f"kill -9 of {part}", await _crash(setting, client, part, tools))
    return table


async def _crash(setting: Setting, client: MeshClient, part: str, tools: int) -> list[float]:
    pid = setting.pid(part)
    run = await _begin(client, ask_tools(f"until {part} dies", tools))
    last = 2 * tools  # all but the answer, which takes seconds: once it is told to begin, the blow finds it open
    finished, killed, begun = 0, 0.0, 0.0
    async with aclosing(client.follow(run.id, patience=120)) as events:
        async for event in events:
            now = time.monotonic()
            if event.HasField("step_finished"):
                finished += 1
            if not killed and finished >= last and event.HasField("step_started"):
                killed = now
                os.kill(pid, signal.SIGKILL)
            elif killed and event.HasField("step_restarted"):
                begun = now
            elif begun and event.HasField("step_started"):
                return [finished, begun - killed, now - killed]
    raise RuntimeError(f"the run ended before {part} was missed")


async def _begin(client: MeshClient, text: str) -> Run:
    """Create a run and return when its agent works."""
    run = await client.runs.CreateRun(CreateRunRequest(request_id=new_request_id(), agent=_AGENT, input=text))
    async with aclosing(client.follow(run.id)) as events, asyncio.timeout(30):
        async for event in events:
            if event.HasField("step_started"):
                return run
    raise RuntimeError("the run never began")
