"""A run that rests for a day while every process is started anew goes on as if nothing had been."""

import asyncio

import pytest
from agentmesh.orchestrator.v1.run_pb2 import RunState

from meshkit.errors import MeshError
from tests.faults.history import violations
from tests.faults.load import Load, create_agents
from tests.faults.mesh import FaultyMesh, until
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

A_DAY_AGO = """
    update orchestrator.run set
        create_time = create_time - interval '1 day',
        start_time = start_time - interval '1 day',
        idle_since = idle_since - interval '1 day'
    where id = $1 and suspended returning idle_since
"""


async def test_a_day_of_rest_changes_nothing(faulty: FaultyMesh, effects: EffectServer) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        run = await load.add(calls=3)
        control = client.control(run)
        await until(lambda: effects.calls["effect_once", load.history.accepted[run], 1], "the first call is made")
        assert (await control.pause()).state == RunState.RUN_STATE_PAUSED
        async with asyncio.timeout(30):  # the agent gives up its memory first
            while not await faulty.query(A_DAY_AGO, run):  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.2)
        for part in ("envoy", "orchestrator", "agent-langchain", "memory", "valkey", "postgres"):
            await faulty.back(part, faulty.kill(part))
        async with asyncio.timeout(60):
            while True:
                try:
                    assert (await control.get()).state == RunState.RUN_STATE_PAUSED
                    break
                except MeshError:
                    await asyncio.sleep(0.2)
        before = dict(effects.calls)
        await control.resume()
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert before["effect_once", load.history.accepted[run], 1] == 1
        assert effects.calls["effect_once", load.history.accepted[run], 3] == 1
