"""The protocol of model endpoints, read from any pieces and with the oddities that endpoints have."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_service.adapters.gateway.completion import Completion, parse
from agent_service.adapters.gateway.sse import SseDecoder
from agent_service.domain.events import FinishReason
from agent_service.domain.toolbox import WrittenCall
from meshkit.errors import MeshError

STREAM = (
    ": a comment\r\n\r\n"
    'event: message\ndata: {"a": "gr\u00fc\u00df 👩\u200d🚀"}\n\n'
    "data:first\ndata: second\r\n\r\n"
    "id: 7\nretry: 10\n\n"
    "data: [DONE]"
).encode()  # fmt: skip
DATA = ['{"a": "grüß 👩\u200d🚀"}', "first\nsecond", "[DONE]"]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=200))
def test_events_are_the_same_however_they_are_cut(lengths: list[int]) -> None:
    decoder, rest, found = SseDecoder(), STREAM, []
    for length in lengths:
        found += decoder.feed(rest[:length])
        rest = rest[length:]
    assert [*found, *decoder.feed(rest), *decoder.end()] == DATA


def test_a_line_without_an_end_is_refused() -> None:
    decoder = SseDecoder()
    for _ in range(64):
        decoder.feed(b"x" * 65_536)
    with pytest.raises(MeshError):
        decoder.feed(b"x")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda each: st.lists(each) | st.dictionaries(
    st.sampled_from(["choices", "delta", "message", "content", "tool_calls", "function", "index", "usage", "error"]),
    each), max_leaves=20))  # fmt: skip
def test_no_json_breaks_the_reader(value: Any) -> None:
    completion = Completion("m")
    try:
        completion.add(parse(json.dumps(value)))
        completion.as_json()
        completion.used(10)
    except MeshError as error:
        assert error.reason == "MODEL_FAILED"  # noqa: PT017 - it need not fail


def built(*calls: dict[str, Any], finish: str = "tool_calls") -> Completion:
    completion = Completion("m")
    for call in calls:
        completion.add({"choices": [{"delta": {"tool_calls": [call]}}]})
    completion.add({"choices": [{"delta": {}, "finish_reason": finish}]})
    completion.end()
    return completion


def fragment(arguments: Any, **more: Any) -> dict[str, Any]:
    name = more.pop("name", None)
    return {**more, "function": {"arguments": arguments, **({"name": name} if name else {})}}


@pytest.mark.parametrize(
    "calls",
    [
        [fragment("{", index=0, id="a", name="f"), fragment("}", index=0), fragment("[]", index=1, id="b", name="g")],
        [fragment("{}", index=0, id="a", name="f"), fragment("[]", index=0, id="b", name="g")],  # all have index 0
        [fragment("{", id="a", name="f"), fragment("}"), fragment("[]", id="b", name="g")],  # none has an index
        [fragment("{}", index=0, id="a", name="f"), fragment("[]", index=1, id="b", name="g"), fragment("", index=1)],
        [fragment({}, index=0, id="a", name="f"), fragment("[]", index=1, id="b", name="g")],  # no text
    ],
)
def test_calls_are_put_together_as_endpoints_send_them(calls: list[dict[str, Any]]) -> None:
    completion = built(*calls)
    assert completion.tool_calls == (WrittenCall("a", "f", "{}"), WrittenCall("b", "g", "[]"))
    told = completion.as_json()["choices"][0]["message"]["tool_calls"]
    # What is no JSON object would break a framework; the toolbox has it as it was written.
    assert [call["function"] for call in told] == [{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": "{}"}]


def test_an_unknown_finish_is_unknown() -> None:
    assert built(finish="because").finish_reason is FinishReason.UNKNOWN
    with pytest.raises(MeshError):
        Completion("m").end()


def test_usage_is_reckoned_if_it_is_not_told() -> None:
    completion = Completion("m")
    completion.add({"choices": [{"delta": {"content": "12345678"}}], "usage": {"prompt_tokens": "many"}})
    used = completion.used(41)
    assert (used.input_tokens, used.output_tokens) == (11, 2)
