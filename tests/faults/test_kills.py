"""The kill matrix: every place where a process may die, with work in flight, and everybody's history checked.

Each round kills two parts with SIGKILL: at a random moment, and then, where the part is a service of ours, once more at
a failpoint that its next start is told of. No more than two parts suffer at once, so that a run's patience with broken
agents (three breaks) is not what is tested.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator

import pytest
from agentmesh.memory.v1.extraction_pb2 import ExtractionMode
from agentmesh.memory.v1.settings_service_pb2 import MemorySettings, UpdateMemorySettingsRequest

from meshkit.failpoints import NAMES
from tests.faults.history import violations
from tests.faults.load import ASKING, FREE, Load, create_agents
from tests.faults.mesh import FaultyMesh, until
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(420)]

AGENT_POINTS = [name for name in NAMES if name.startswith(("agent.llm.", "agent.tool."))]
SELDOM = {"migrate.between_steps", "memory.index.after_reset_before_fill", "memory.index.after_switch_before_drop"}
"""Passed only where there is something to migrate, or an index to build: `test_start.py` kills there, and memory's own
`test_reindexing_kills.py`."""
MEMORY_POINTS = [name for name in NAMES if name.startswith("memory.") and name not in SELDOM]
ORCHESTRATOR_POINTS = [name for name in NAMES if name not in {*AGENT_POINTS, *MEMORY_POINTS, *SELDOM}]
STORES = ["postgres", "valkey", "envoy"]
RESUMED_SECONDS = 20.0
"""The promise is 10; two cores also carry the tests."""


def rounds(seed: int) -> Iterator[list[tuple[str, str]]]:
    """Yield what suffers together: (part, failpoint), in the seed's order."""
    chance = random.Random(seed)
    others = [("agent-langchain", name) for name in AGENT_POINTS] + [("memory", name) for name in MEMORY_POINTS]
    others += [(store, "") for store in STORES] * 2
    chance.shuffle(others)
    points = chance.sample(ORCHESTRATOR_POINTS, len(ORCHESTRATOR_POINTS))
    for point, other in itertools.zip_longest([("orchestrator", point) for point in points], others):
        yield [hurt for hurt in (point, other) if hurt]


async def suffer(mesh: FaultyMesh, part: str, point: str, chance: random.Random) -> None:
    """Kill the part now; then, when it is back, at the failpoint."""
    await asyncio.sleep(chance.uniform(0.1, 1.5))
    if point:
        await mesh.dies(part, point)
    else:
        await mesh.back(part, mesh.kill(part))


async def resumed(load: Load) -> float:
    """Return after how many seconds the last of the runs in flight was heard of again."""
    began = time.monotonic()
    last, waiting = load.watcher.last_event, set(load.watcher.last_event)
    return await until(lambda: all(last.get(run, began + 1) > began for run in waiting), "all runs go on")


async def keep_loading(load: Load) -> None:
    """Give the mesh work for as long as it suffers."""
    async with asyncio.TaskGroup() as clients:  # one that waits for the mesh does not keep the others from asking
        for number in itertools.count():
            clients.create_task(load.add(agent=ASKING if number % 3 == 2 else FREE))
            await asyncio.sleep(1.5)


async def test_nothing_is_lost_wherever_a_process_dies(faulty: FaultyMesh, effects: EffectServer, seed: int) -> None:
    chance, kills = random.Random(seed), faulty.kills
    times: list[float] = []
    wrong: list[str] = []
    runs = 0
    async with faulty.client() as client:
        await create_agents(client)
        looked_for = MemorySettings(extraction=ExtractionMode.EXTRACTION_MODE_ON)  # or its failpoints are never passed
        await client.memory_settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=looked_for))
        for hurt in rounds(seed):
            load = Load(client)
            began = time.monotonic()
            giving = asyncio.create_task(keep_loading(load))
            try:
                await asyncio.gather(*(suffer(faulty, part, point, chance) for part, point in hurt))
            finally:
                giving.cancel()
                await asyncio.gather(giving, return_exceptions=True)
            async with asyncio.timeout(60):
                times.append(await resumed(load))
                await load.done()
            found = violations(load.history, effects.calls)
            wrong += [f"seed {seed}, {hurt}: {each}" for each in found]
            runs += len(load.history.accepted)
            allowed = load.history.allowed.total()
            print(f"{hurt}: {len(load.history.accepted)} runs, {time.monotonic() - began:.1f} s, {found or 'well'}")
    killed = faulty.kills - kills
    print(f"seed {seed}: {killed} kills, {runs} runs, {allowed} repeated calls allowed so far; resumed after")
    print(" ".join(f"{each:.1f}" for each in sorted(times)), "s")
    assert not wrong, "\n".join(wrong)
    assert killed >= 40
    assert max(times) <= RESUMED_SECONDS
