"""Done, but the caller saw a timeout: whoever asks again gets what was done, and nothing is done twice."""

import pytest

from tests.faults.history import violations
from tests.faults.load import Load, create_agents
from tests.faults.mesh import FaultyMesh
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    "plan",
    [
        "orch.start.after_persist_before_ack:exec_then_timeout@0.5",
        "orch.ledger.after_begin_before_ack:exec_then_timeout@0.2",
        "orch.ledger.after_complete_before_ack:exec_then_timeout@0.2",
        "orch.finish.after_commit_before_ack:exec_then_timeout@0.5",
        "agent.event.after_append_before_publish:exec_then_timeout@0.05",
    ],
)
async def test_what_was_done_is_not_done_again(faulty: FaultyMesh, effects: EffectServer, plan: str) -> None:
    await faulty.back("orchestrator", faulty.kill("orchestrator", plan))
    try:
        async with faulty.client() as client:
            await create_agents(client)
            load = Load(client)
            for _ in range(4):
                await load.add(calls=3)
            await load.done()
            jobs = set(load.history.accepted.values())
            assert len(jobs) == len(load.history.accepted) == 4
            assert violations(load.history, effects.calls) == []
    finally:
        await faulty.back("orchestrator", faulty.kill("orchestrator"))
