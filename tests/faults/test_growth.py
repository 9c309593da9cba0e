"""What a long run leaves in the store grows with its steps, not with their square."""

import pytest

from tests.faults.history import violations
from tests.faults.load import Load, create_agents
from tests.faults.mesh import FaultyMesh
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

CALLS = 200

STEP_BYTES = """
    select step.number, pg_column_size(step.*) + coalesce(octet_length(blob.content), 0) as bytes
    from orchestrator.step left join orchestrator.blob on blob.tenant = step.tenant and blob.digest = step.result
    where step.run = $1 order by step.number
"""
EVENT_BYTES = "select octet_length(body) as bytes from orchestrator.run_event where run = $1 order by sequence"


async def test_stored_bytes_grow_with_the_steps(faulty: FaultyMesh, effects: EffectServer) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        run = await load.add(calls=CALLS)
        await load.done()
        assert violations(load.history, effects.calls) == []
    sizes = {row["number"]: row["bytes"] for row in await faulty.query(STEP_BYTES, run)}
    assert len(sizes) == 2 * CALLS + 1
    quarter = len(sizes) // 4
    quarters = [sum(sizes[number] for number in range(1 + quarter * n, 1 + quarter * (n + 1))) for n in range(4)]
    events = [row["bytes"] for row in await faulty.query(EVENT_BYTES, run)]
    told = [sum(events[len(events) * n // 4 : len(events) * (n + 1) // 4]) for n in range(4)]
    print(f"{CALLS} calls; bytes of steps and results by quarter: {quarters}, of events: {told}")
    assert quarters[3] <= 1.5 * quarters[0]
    assert told[3] <= 1.5 * told[0]
