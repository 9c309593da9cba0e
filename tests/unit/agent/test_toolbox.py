"""A call finds what the model wrote, whatever the framework makes of its id and its arguments."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from agent_service.domain.activity import Activity
from agent_service.domain.breaker import Breakers
from agent_service.domain.events import AgentEvent, ToolCalled
from agent_service.domain.gate import Gate
from agent_service.domain.task import Limits
from agent_service.domain.tool import ToolAnswer, ToolRun
from agent_service.domain.toolbox import Toolbox, WrittenCall
from tests.unit.agent.tasks import FreeLedger, task


class Echo:
    """Repeats its arguments."""

    name = "echo"
    description = "Repeats."
    input_schema: Mapping[str, Any] = {"type": "object"}
    timeout = 1.0
    repeatable = True
    writes_memory = False

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        return ToolAnswer(repr(dict(arguments)))


async def told(written: list[WrittenCall], *calls: tuple[str, str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Make the calls; return the ids and arguments that are told of them."""
    activity = Activity(Limits(), time.monotonic)
    gate = Gate(FreeLedger(), activity, time.monotonic)
    toolbox = Toolbox([Echo()], task(), gate, Breakers(time.monotonic))
    toolbox.written(written)
    for call_id, name, arguments in calls:
        await toolbox.call(call_id, name, arguments)
    activity.close()
    events: list[AgentEvent] = [event async for event in activity.events()]
    called = [event.event for event in events if isinstance(event.event, ToolCalled)]
    return [(each.id, each.arguments) for each in called]


async def test_a_call_is_known_by_its_id_whatever_became_of_its_arguments() -> None:
    written = [WrittenCall("a", "echo", '{"x": "1"}'), WrittenCall("b", "echo", "[1]")]
    assert await told(written, ("b", "echo", {}), ("a", "echo", {"x": 1})) == [("b", "[1]"), ("a", '{"x": "1"}')]


@pytest.mark.parametrize("text", ['{"x":1 , "y":[2]}', '{"y": [2], "x": 1}'])
async def test_a_call_without_an_id_is_known_by_what_it_says(text: str) -> None:
    written = [WrittenCall("a", "echo", '{"x": 3}'), WrittenCall("b", "other", text), WrittenCall("c", "echo", text)]
    assert await told(written, ("", "echo", {"x": 1, "y": [2]})) == [("c", text)]


@pytest.mark.parametrize("text", ["not json", '["1+1"]', '{"x": 1', '{"x": "\\ud800"}', ""])
async def test_arguments_that_no_framework_understands_are_found_too(text: str) -> None:
    assert await told([WrittenCall("a", "echo", text)], ("", "echo", {})) == [("a", text or "{}")]


async def test_calls_numbered_alike_are_told_apart_by_what_they_say() -> None:
    written = [WrittenCall("0", "echo", '{"x":1}'), WrittenCall("0", "echo", '{"x":2}')]
    assert await told(written, ("0", "echo", {"x": 2}), ("0", "echo", {"x": 1})) == [
        ("0", '{"x":2}'),
        ("0.tool-2", '{"x":1}'),
    ]


async def test_the_same_call_twice_is_two_calls() -> None:
    written = [WrittenCall("a", "echo", '{"x":1}'), WrittenCall("b", "echo", '{"x":1}')]
    assert await told(written, ("", "echo", {"x": 1}), ("", "echo", {"x": 1})) == [("a", '{"x":1}'), ("b", '{"x":1}')]


async def test_a_call_that_the_model_did_not_write_is_told_as_the_framework_has_it() -> None:
    written = [WrittenCall("a", "echo", '{"x":1}')]
    assert await told(written, ("", "echo", {"z": "é"}), ("?", "nothing", {})) == [
        ("tool-1", '{"z": "é"}'),
        ("?", "{}"),
    ]
