"""A worker that stands still and goes on later: a peer or a later attempt has its run, and it writes nothing more."""

import asyncio

import pytest

from tests.faults.history import violations
from tests.faults.load import Load, create_agents
from tests.faults.mesh import FaultyMesh, until
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest.mark.parametrize(("part", "seconds"), [("agent-langchain", 8.0), ("orchestrator", 8.0)])
async def test_a_frozen_worker_writes_nothing_twice(
    faulty: FaultyMesh, effects: EffectServer, part: str, seconds: float
) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        for _ in range(4):
            await load.add(calls=3)
        await until(lambda: len(load.watcher.last_event) == 4, "all runs are at work")
        thaw = faulty.freeze(part)
        try:
            await asyncio.sleep(seconds)  # longer than any beat: the time is the fault
        finally:
            thaw()
        await load.done()
        assert violations(load.history, effects.calls) == []


async def test_a_run_whose_orchestrator_came_back_is_not_taken_from_its_heir(
    faulty: FaultyMesh, effects: EffectServer
) -> None:
    """The database is told that the frozen one is dead; what it still writes must then be refused."""
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        run = await load.add(calls=3)
        await until(lambda: run in load.watcher.last_event, "the run is at work")
        thaw = faulty.freeze("orchestrator")
        try:
            taken = await faulty.query(
                "update orchestrator.run set attempt = attempt + 1 where id = $1 returning attempt", run
            )
        finally:
            thaw()
        assert len(taken) == 1
        # Nobody works under the new number: what the old attempt says is refused, and the sweep begins the run again.
        await load.done()
        assert violations(load.history, effects.calls) == []
