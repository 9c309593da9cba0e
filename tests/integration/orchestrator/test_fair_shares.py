"""Who gets an executor when there are more tasks than room. Each test has the only orchestrator that works."""

import time

import pytest
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2

from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUED, SUCCEEDED = run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_SUCCEEDED


def task(text: str) -> run_service_pb2.CreateRunRequest:
    return run_service_pb2.CreateRunRequest(input=text, request_id=new_id("req"))


async def cancel(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run))


async def test_a_chat_among_five_hundred_tasks_begins_at_once(mesh: Mesh) -> None:
    async with mesh.orchestrator("bulk", MESH_MAX_RUNS="16") as orchestrator:
        client = mesh.client(orchestrator)
        bulk: set[str] = set()
        for _ in range(5):
            batch = run_service_pb2.BatchCreateRunsRequest(requests=[task("say 40 20") for _ in range(100)])
            results = (await client.runs.BatchCreateRuns(batch)).results
            bulk |= {result.run.id for result in results}
        delays, most = [], 0
        for _ in range(5):
            begin = time.monotonic()
            chat = await client.create("say 1 0")
            await client.wait(chat.id)
            delays.append(time.monotonic() - begin)
            most = max(most, len(mesh.agent.active & bulk))
        listed = await client.runs.ListRuns(run_service_pb2.ListRunsRequest(state=QUEUED, page_size=500))
        left = len([run for run in listed.runs if run.id in bulk])
        print(f"chats of one word, while {left} of 500 tasks waited: ms", [round(delay * 1000) for delay in delays])
        assert left > 100
        assert 0 < most <= 4
        assert max(delays) < 5  # without a share of its own it would wait for all of them: a minute
        for run in bulk:
            await cancel(client, run)


async def test_one_tenant_does_not_take_all(mesh: Mesh) -> None:
    async with mesh.orchestrator("fair", MESH_MAX_RUNS="4", MESH_MAX_RUNS_PER_TENANT="2") as orchestrator:
        greedy, modest = mesh.client(orchestrator), mesh.client(orchestrator, tenant="modest")
        runs = [await greedy.create("hang") for _ in range(6)]
        mine = {run.id for run in runs}
        await until(lambda: len(mesh.agent.active & mine) == 2)
        begin = time.monotonic()
        small = await modest.create("say 1 0")
        assert (await modest.wait(small.id)).state == SUCCEEDED
        assert time.monotonic() - begin < 10  # the others hang for ever
        assert len(mesh.agent.active & mine) == 2
        for run in runs:
            await cancel(greedy, run.id)
