"""What each agent framework costs: its start, its memory, its first token, and the processor time of each token.

Owns these measurements, on a mesh with a process for each. All runtimes are asked in turns, so that whatever else the
machine does meets all of them alike.
"""

import asyncio
import json
import subprocess
import time
from statistics import median

from agentmesh.agent.v1 import agent_spec_pb2
from agentmesh.orchestrator.v1 import agent_catalog_service_pb2
from agentmesh.orchestrator.v1.run_pb2 import RunState
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest, StreamRunRequest

from bench.model_server import ask
from bench.processes import cpu_seconds, resident_mib
from bench.report import Table
from bench.setting import ROOT, Setting
from meshclient import new_request_id
from meshctl.environments import ensure
from meshctl.runtimes import RUNTIMES
from meshkit.rpc.streams import open_stream

__all__ = ["runtimes"]

_PAUSE = 0.1  # seconds between calls: what the mesh does after an answer must not fall into the next measurement
_LOAD = """
import sys, time
began = time.perf_counter()
from agent_service.adapters.runtimes import load
import asyncio, json, resource
async def main():
    runtime = load(sys.argv[1])
    print(json.dumps([time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
    await runtime.close()
asyncio.run(main())
"""


async def runtimes(setting: Setting, calls: int, tokens: int) -> Table:
    """Measure so many calls of each runtime, and streams of so many tokens."""
    table = Table(
        f"The runtimes: {calls} calls each in turns, streams of {tokens} tokens",
        (
            "import s",
            "import MiB",
            "process MiB",
            "first token p50 ms",
            "added p50 ms",
            "agent CPU ms a run",
            "agent CPU µs a token",
        ),
        "Import: the adapter with its framework in a fresh interpreter, files cached. Added: over a direct model call "
        "in the same turns, so the whole mesh is in it: a new session, the event log, the ledger, the agent.",
    )
    for name in RUNTIMES:
        await setting.edge.agents.CreateAgent(_agent(name))
    direct: list[float] = []
    firsts: dict[str, list[float]] = {name: [] for name in RUNTIMES}
    short: dict[str, float] = {}
    for number in range(-2, calls):
        answer = await setting.model.ask(f"question {number} about nothing", tokens=3, gap=0)
        if number >= 0:
            direct.append(answer.first_token)
        for name in RUNTIMES:
            before = _cpu(setting, name)
            first = await _first_token(setting, name, f"question {number} about {name}", 3)
            if number >= 0:  # the ones before warm everything up
                firsts[name].append(first)
                short[name] = short.get(name, 0.0) + _cpu(setting, name) - before
            await asyncio.sleep(_PAUSE)
    for name in RUNTIMES:
        seconds, peak = await asyncio.to_thread(_import, name)
        before = _cpu(setting, name)
        await _first_token(setting, name, f"a long answer of {name}", tokens)
        a_run = short[name] / calls
        a_token = max(0.0, _cpu(setting, name) - before - a_run) / tokens
        first = median(firsts[name])
        numbers = (1000 * first, 1000 * (first - median(direct)), 1000 * a_run, 1e6 * a_token)
        table.add(name, (seconds, peak, resident_mib(setting.parts[f"agent-{name}"]), *numbers))
    return table


def _agent(runtime: str) -> agent_catalog_service_pb2.CreateAgentRequest:
    spec = agent_spec_pb2.AgentSpec(
        runtime=runtime, instructions="Answer.", memory=agent_spec_pb2.MEMORY_POLICY_NONE, tools=["calculator"]
    )
    return agent_catalog_service_pb2.CreateAgentRequest(
        request_id=new_request_id(), agent={"name": f"bench-{runtime}", "spec": spec}
    )


async def _first_token(setting: Setting, runtime: str, topic: str, tokens: int) -> float:
    """Return the seconds to the first token of a run that is followed to its end."""
    run = CreateRunRequest(request_id=new_request_id(), agent=f"bench-{runtime}", input=ask(topic, tokens, 0))
    began, first, arrived = time.monotonic(), 0.0, 0
    async with open_stream(setting.edge.runs.StreamRun(StreamRunRequest(run=run))) as events:
        async for event in events:
            if event.HasField("token_delta"):
                first = first or time.monotonic() - began
                arrived += len(event.token_delta.text.split())
            elif event.state_changed.state == RunState.RUN_STATE_FAILED:
                raise RuntimeError(f"the run failed: {event.state_changed.failure}")
    if arrived != tokens:
        raise RuntimeError(f"{arrived} of {tokens} tokens arrived")
    return first


def _cpu(setting: Setting, runtime: str) -> float:
    part = f"agent-{runtime}"
    return cpu_seconds({part: setting.parts[part]})[part]


def _import(runtime: str) -> tuple[float, float]:
    """Return the seconds and the peak MiB of importing a runtime, the second time."""
    for _ in range(2):
        done = subprocess.run(
            [str(ensure(runtime)), "-c", _LOAD, runtime], capture_output=True, text=True, check=True, cwd=ROOT
        )
    seconds, peak = json.loads(done.stdout)
    return seconds, peak
