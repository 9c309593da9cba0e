"""What ends a run from outside: its limits, its deadline, its caller, a full process."""

import asyncio
import time

import pytest

from meshkit.errors import InvalidArgument, PermissionDenied, ResourceExhausted
from meshkit.ids import new_id
from meshkit.rpc.channel import open_channel
from meshkit.rpc.service_config import load_service_config
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, call, say
from tests.integration.agent.conftest import Client, Process, Run, until


@pytest.mark.parametrize(
    ("limits", "name", "value", "model_calls"),
    [
        ({"max_model_calls": 3}, "max_model_calls", 3, 3),
        ({"max_tool_calls": 2}, "max_tool_calls", 2, 3),
        ({"max_tokens": 60}, "max_tokens", 60, 3),
    ],
)
async def test_a_limit_ends_the_run(
    client: Client,
    model: ModelServer,
    ledger: LedgerPeer,
    limits: dict[str, int],
    name: str,
    value: int,
    model_calls: int,
) -> None:
    """The ledger counts; the agent tells which limit it was, and ends."""
    number = new_id("run")
    ledger.limits[number] = limits
    about = f"loop until {name}"
    model.script(*[call("calculator", {"expression": "1+1"}, ids=str(turn)) for turn in range(50)], when=about)
    run = Run()
    with pytest.raises(ResourceExhausted) as caught:
        await client.run(about, "calculator", into=run, run=number)
    assert (caught.value.reason, caught.value.metadata["limit"]) == ("LIMIT_REACHED", name)
    reached = run.events[-1].limit_reached
    assert (reached.limit, reached.value) == (name, value)
    assert len(model.about(about)) == model_calls


async def test_the_time_limit_ends_the_run_and_closes_the_socket(client: Client, model: ModelServer) -> None:
    model.script(say(*["word "] * 200, delay=0.05), when="talk for long")
    run, began = Run(), time.monotonic()
    with pytest.raises(ResourceExhausted) as caught:
        await client.run("talk for long", into=run, spec={"limits": {"timeout": {"seconds": 1}}})
    assert 0.95 < time.monotonic() - began < 2.0
    assert caught.value.metadata["limit"] == "timeout"
    assert run.events[-1].limit_reached.value == 1
    (exchange,) = model.about("talk for long")
    await until(lambda: exchange.dropped is not None)


async def test_a_slow_reader_slows_the_model_and_loses_nothing(client: Client, model: ModelServer) -> None:
    words = [f"{number:>99} " for number in range(6_000)]
    model.script(say(*words, piece_bytes=200_000), when="flood")
    stream = client.stub.Execute(client.request("flood"))
    run = Run()
    async for event in stream:
        run.events.append(event)
        if len(run.events) < 20:
            await asyncio.sleep(0.02)  # a reader that takes its time is what is tested
    assert run.text == "".join(words)


async def test_unknown_tools_and_runtimes_are_refused_before_the_model_is_asked(
    client: Client, model: ModelServer
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await client.run("unknown tool", "calculator", "teleport")
    assert caught.value.field_violations[0].field == "spec.tools[1]"
    with pytest.raises(InvalidArgument) as caught:
        await client.run("read only", "memory_remember", spec={"memory": 2})
    assert caught.value.field_violations[0].field == "spec.tools[0]"
    request = client.request("other runtime")
    request.spec.runtime = "autogen"
    with pytest.raises(InvalidArgument) as caught:
        await anext(aiter(client.stub.Execute(request)))
    assert caught.value.field_violations[0].field == "spec.runtime"
    assert not model.about("unknown tool")


async def test_only_services_of_the_mesh_may_call(agent: Process) -> None:
    users = agent.tokens.token("agents.execute")
    async with open_channel(agent.address, load_service_config("agent"), credentials=lambda: users) as channel:
        with pytest.raises(PermissionDenied):
            await Client(channel, agent.tokens).run("as a user")
