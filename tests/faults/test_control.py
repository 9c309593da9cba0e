"""Control of runs whose processes die in between: what a person said, or allowed, holds as it was said, and once."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from agentmesh.orchestrator.v1.input_request_pb2 import InputRequest
from agentmesh.orchestrator.v1.run_control_pb2 import Approve
from agentmesh.orchestrator.v1.run_pb2 import Run, RunState
from agentmesh.orchestrator.v1.step_pb2 import Step, StepResult, StepState, ToolOutcome

from meshclient import MeshClient
from meshclient.control import RunControl
from meshkit.errors import FailedPrecondition, InvalidArgument
from tests.fakes.model_server import say
from tests.faults.history import violations
from tests.faults.load import ASKING, Load, create_agents, insist
from tests.faults.mesh import FaultyMesh
from tests.faults.model import Worker
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

LATE = "update orchestrator.input_request set expire_time = now() - interval '1 second' where id = $1 returning id"
RESTS = "select id from orchestrator.run where id = $1 and suspended"


async def restart(mesh: FaultyMesh, control: RunControl, *parts: str) -> Run:
    """Kill the parts; return the run as the mesh tells it when it is back."""
    for part in parts:
        await mesh.back(part, mesh.kill(part))
    return await insist(control.get)


async def eventually(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.1)


async def becomes(control: RunControl, wanted: Callable[[Run], object]) -> Run:
    """Wait for what is wanted of the run."""

    async def holds() -> object:
        return wanted(await insist(control.get))

    await eventually(holds)
    return await insist(control.get)


async def asks(control: RunControl) -> InputRequest:
    """Return what the run asks, once it does."""
    return (await becomes(control, lambda run: run.requests)).requests[0]


async def rests(mesh: FaultyMesh, run: str) -> None:
    """Wait until no process holds the run any more."""
    await eventually(lambda: mesh.query(RESTS, run))


async def steps(control: RunControl, *, full: bool = False) -> list[Step]:
    """Return what the run has done."""

    async def read() -> list[Step]:
        return [step async for step in control.steps(full=full)]

    return await insist(read)


async def taken(control: RunControl, number: int) -> bool:
    """Return whether the run has taken so many steps."""
    return [step.state for step in await steps(control)] == [StepState.STEP_STATE_COMPLETED] * number


def made(effects: EffectServer, job: str) -> dict[tuple[str, int], int]:
    """Return how often each effect of a job was made."""
    return {(tool, number): times for (tool, of, number), times in effects.calls.items() if of == job}


async def refused(answer: Awaitable[Run]) -> None:
    """Expect that a request no longer takes an answer."""
    with pytest.raises(FailedPrecondition) as error:
        await answer
    assert error.value.reason == "REQUEST_CLOSED"


async def test_a_run_takes_one_step_at_a_time_though_its_processes_die_between(
    faulty: FaultyMesh, effects: EffectServer
) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        control = client.control(run := await load.add(calls=3))
        await control.pause()
        await becomes(control, lambda run: run.state == RunState.RUN_STATE_PAUSED)
        await rests(faulty, run)
        done = len(await steps(control))
        victims = ["orchestrator", "agent-langchain", "valkey", "orchestrator", "agent-langchain", "postgres"]
        for number in range(done + 1, 7):
            await restart(faulty, control, victims[number - 1])
            await insist(control.step)  # the service that asks the part which just came back may not know it yet
            await eventually(partial(taken, control, number))
            await becomes(control, lambda run: run.state == RunState.RUN_STATE_PAUSED)
            assert len(await steps(control)) == number
            assert sum(made(effects, load.history.accepted[run]).values()) == number // 2
        await control.resume()
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert set(made(effects, load.history.accepted[run]).values()) == {1}


async def test_a_fork_goes_on_with_another_result_though_its_agent_dies(
    faulty: FaultyMesh, effects: EffectServer, worker: Worker
) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        run = await load.add(calls=1)
        await load.done()
        job = load.history.accepted[run]
        other = StepResult(tool=ToolOutcome(content="effect of another world"))
        forked = (await client.control(run).fork("tool-2", result=other)).id
        load.follow(forked, job)
        await becomes(client.control(forked), lambda _: len(worker.about(f"job {job} ")) >= 3)
        await restart(faulty, client.control(forked), "agent-langchain")
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert made(effects, job) == {("effect_once", 1): 1}
        outputs = [load.history.seen[each][0][-1].state_changed.output for each in (run, forked)]
        assert [output.partition("done: ")[2] for output in outputs] == ["effect 1", "effect of another world"]
        assert [step.attempt for step in await steps(client.control(forked))][:2] == [0, 0]


async def test_what_is_said_to_a_run_is_read_at_the_same_place_again(
    faulty: FaultyMesh, effects: EffectServer, worker: Worker
) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        control = client.control(run := await load.add(calls=3))
        await control.pause()
        await rests(faulty, run)
        said = f"in French, {load.history.accepted[run]}"
        worker.script(*[say(*("C'est ", "fini", "."), delay=1.0)] * 4, when=said)
        await control.steer(said)
        await restart(faulty, control, "orchestrator", "agent-langchain")
        assert worker.about(said) == []
        await control.resume()
        await becomes(control, lambda _: worker.about(said))
        await restart(faulty, control, "agent-langchain")
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert load.history.seen[run][0][-1].state_changed.output == "C'est fini."
        first, *again = [each.messages for each in worker.about(said)]
        assert first[-1]["content"] == said
        assert again
        assert all(each == first for each in again)
        assert made(effects, load.history.accepted[run]).keys() <= {("effect_once", 1), ("effect_again", 2)}


async def waiting(mesh: FaultyMesh, client: MeshClient, load: Load, calls: int) -> tuple[str, RunControl, InputRequest]:
    """Begin a run that waits for a person, and that no process holds; return its job, controls and request."""
    run = await load.add(calls=calls, agent=ASKING, answers=False)
    control = client.control(run)
    request = await asks(control)
    await rests(mesh, run)
    return load.history.accepted[run], control, request


async def test_an_approval_comes_too_late(faulty: FaultyMesh, effects: EffectServer, worker: Worker) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        job, control, request = await waiting(faulty, client, load, 2)
        await restart(faulty, control, "orchestrator", "agent-langchain")
        assert len(await faulty.query(LATE, request.id)) == 1
        await becomes(control, lambda run: not run.requests)
        await refused(control.approve(request))
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert made(effects, job) == {("effect_once", 1): 1}
        assert "Nobody answered in time" in worker.about(f"job {job} ")[-1].messages[-1]["content"]


async def test_an_approval_is_for_what_was_shown_and_for_one_call(faulty: FaultyMesh, effects: EffectServer) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        job, control, request = await waiting(faulty, client, load, 4)
        await restart(faulty, control, "postgres", "orchestrator", "agent-langchain")
        with pytest.raises(InvalidArgument):
            await control.respond(request.id, Approve(arguments_digest="0" * 64))
        assert (await asks(control)).id == request.id
        await control.approve(request)
        second = await becomes(control, lambda run: run.requests and run.requests[0].id != request.id)
        assert (second.requests[0].step, request.step) == ("tool-8", "tool-4")
        await control.approve(request)  # the same answer of the same person: it changes nothing
        await refused(control.deny(request.id))
        await restart(faulty, control, "orchestrator")
        assert [each.id for each in (await control.get()).requests] == [second.requests[0].id]
        assert made(effects, job) == {("effect_once", 1): 1, ("effect_again", 2): 1, ("effect_once", 3): 1}
        await control.deny(second.requests[0].id, "enough")
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert ("effect_again", 4) not in made(effects, job)


async def test_other_arguments_are_carried_out_once_though_the_agent_dies(
    faulty: FaultyMesh, effects: EffectServer
) -> None:
    async with faulty.client() as client:
        await create_agents(client)
        load = Load(client)
        job, control, request = await waiting(faulty, client, load, 2)
        await control.approve(request, arguments=f'{{"job": "{job}", "number": 20}}')
        await restart(faulty, control, "agent-langchain", "orchestrator")
        await load.done()
        assert violations(load.history, effects.calls) == []
        assert len(effects.keys["effect_again", job, 20]) == 1
        assert ("effect_again", 2) not in made(effects, job)
        full = {step.id: step for step in await steps(control, full=True)}
        assert '"number": 20' in full[request.step].arguments
