"""Answers that have to fit a JSON Schema, checked by the real program: what is taken, asked anew, refused."""

import asyncio
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent_service.adapters.json_schema import JsonSchemas
from agent_service.domain.structured import StructuredAnswer
from meshkit.errors import Internal, InvalidArgument
from tests.unit.agent.tasks import task

CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer", "minimum": 1.0}},
    "required": ["name", "people"],
    "additionalProperties": False,
}


class Model:
    """Says what a test gives it, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.asked: list[list[dict[str, str]]] = []
        self._answers = list(answers)

    async def ask(self, messages: list[dict[str, str]]) -> str:
        self.asked.append(messages)
        return self._answers.pop(0)


def structured(schema: dict[str, Any] = CITY, **fields: Any) -> StructuredAnswer:
    return StructuredAnswer(task(output_schema=schema, **fields), JsonSchemas())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ('{"name": "Köln", "people": 1}', '{"name": "Köln", "people": 1}'),
        ('\n {"people":1e0,"name":"a\\u00df"}\n', '{"people":1e0,"name":"a\\u00df"}'),
        ('Here:\n```json\n{"name": "```", "people": 1}\n```\nThat is all.', '{"name": "```", "people": 1}'),
        ('```\n{"name": "", "people": 12}\n```', '{"name": "", "people": 12}'),
    ],
)
async def test_an_answer_that_fits_is_taken_as_it_was_written(answer: str, text: str) -> None:
    model = Model()
    assert await structured().fit(answer, model.ask) == text
    assert model.asked == []


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("", "- $: The answer is not one JSON value."),
        ("It is Köln.", "- $: The answer is not one JSON value."),
        ('{"name": "Köln", "people": NaN}', "- $: The answer is not one JSON value."),
        ('```\n{"name": "a", "people": 1}\n```\nor\n```\n{"name": "b", "people": 1}\n```', "not one JSON value"),
        ("[" * 100_000, "- $: The answer is not one JSON value."),
        ('{"name": "Köln", "people": 0}', "- $.people: 0 is less than the minimum of 1"),
        ('{"name": "Köln"}', "- $: 'people' is a required property"),
        ('{"name": 1, "people": "x", "more": 1}', "- $.people: 'x' is not of type 'integer'"),
    ],
)
async def test_one_that_does_not_is_asked_anew_with_what_is_wrong(answer: str, wrong: str) -> None:
    model = Model('{"name": "Köln", "people": 1}')
    about = structured(instructions="Be brief.", input="which city?")
    assert await about.fit(answer, model.ask) == '{"name": "Köln", "people": 1}'
    ((system, asked, *said, again),) = model.asked
    assert system == {"role": "system", "content": about.instructions}
    assert asked == {"role": "user", "content": "which city?"}
    assert said == ([{"role": "assistant", "content": answer}] if answer else [])
    assert wrong in again["content"]


async def test_one_that_does_not_fit_twice_is_refused_by_its_place_and_never_by_its_words() -> None:
    model = Model('{"name": "a secret", "people": "a secret"}')
    with pytest.raises(Internal) as caught:
        await structured().fit("a secret", model.ask)
    assert caught.value.reason == "OUTPUT_INVALID"
    assert caught.value.message == "the answer does not fit the schema at $.people (type)"
    assert len(model.asked) == 1


async def test_no_more_than_five_mistakes_are_told() -> None:
    model = Model("[]")
    about = structured({"type": "array", "items": {"type": "integer"}})
    assert await about.fit(json.dumps(["x" * 10_000] * 20), model.ask) == "[]"
    told = model.asked[0][-1]["content"]
    assert told.count("\n- ") == 5
    assert len(told) < 5_000


def test_the_schema_is_told_after_the_instructions_and_always_in_the_same_words() -> None:
    one = structured({"type": "object", "required": ["b", "a"], "minProperties": 2.0}, instructions="Be brief.")
    other = structured({"minProperties": 2.0, "required": ["b", "a"], "type": "object"}, instructions="Be brief.")
    assert one.instructions == other.instructions
    assert one.instructions.startswith("Be brief.\n\n")
    assert one.instructions.endswith('\n{"minProperties":2,"required":["b","a"],"type":"object"}')


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "city"}, r"not valid at \$\.type"),
        ({"properties": {"a": {"minimum": "1"}}}, r"not valid at \$\.properties\.a\.minimum \(type\)"),
        ({"items": {"$ref": "http://127.0.0.1:9/schema"}}, "parts of itself only"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "parts of itself only"),
        ({"$dynamicRef": "other#here"}, "parts of itself only"),
        ({"items": {"$ref": "#/$defs/none"}}, "a part that it does not have"),
        ({"$ref": "#none"}, "a part that it does not have"),
        ({"$ref": "#"}, "without end"),
        ({"pattern": "("}, "not valid|no regular expression"),
    ],
)
async def test_a_schema_that_is_none_is_refused_before_anybody_is_asked(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why) as caught:
        await structured(schema).check_schema()
    assert [violation.field for violation in caught.value.field_violations] == ["spec.output_schema"]


async def test_a_schema_may_refer_to_itself_and_name_a_property_as_a_reference() -> None:
    tree = {
        "$id": "https://example.org/tree",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"node": {"type": "object", "properties": {"$ref": {"$ref": "#/$defs/node"}}, "maxProperties": 1}},
        "$ref": "#/$defs/node",
    }
    about = structured(tree)
    await about.check_schema()
    assert await about.fit('{"$ref": {"$ref": {}}}', Model().ask)
    deep = '{"$ref":' * 400 + "{}" + "}" * 400
    with pytest.raises(Internal, match=r"at \$ \(depth\)"):
        await about.fit(deep, Model(deep).ask)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 60 + "b"),
        ({"$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(60)} | {"60": {}},
          "$ref": "#/$defs/0"}, "x"),
    ],
)  # fmt: skip
async def test_a_check_without_end_ends_and_holds_up_nobody(schema: dict[str, Any], value: str) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking, began = asyncio.create_task(tick()), time.monotonic()
    with pytest.raises(InvalidArgument, match="takes too long"):
        await structured(schema).fit(json.dumps(value), Model().ask)
    ticking.cancel()
    assert time.monotonic() - began < 60
    assert ticks > 100


async def test_who_leaves_leaves_no_check_behind() -> None:
    endless = JsonSchemas().misfits(json.dumps({"pattern": "^(a+)+$"}), json.dumps("a" * 60 + "b"))
    checking = asyncio.create_task(endless)
    children = await _children_of_this_process(1)
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert children
    assert await _children_of_this_process(0) == set()


async def _children_of_this_process(number: int) -> set[str]:
    """Return the checks under way, when there are so many."""
    async with asyncio.timeout(10):
        while True:
            found = await asyncio.to_thread(_checks)
            if len(found) == number:
                return found
            await asyncio.sleep(0.01)


def _checks() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            is_ours = f"PPid:\t{os.getpid()}\n" in (path / "status").read_text()
            if is_ours and "json_schema_check" in (path / "cmdline").read_text():
                found.add(path.name)
    return found
