"""A tool step has one name: the agent that asks and the orchestrator that checks make the same digest of a call."""

from collections.abc import Callable

import pytest

from agent_service.domain import ledger as agents
from orchestrator.domain import steps as orchestrators


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{}",
        '{"b": 1, "a": [1.50, true, null]}',
        '{"a":"ä€😀","z":"\\u00e4"}',
        '{"n": 1e400, "m": NaN}',
        '{"a": 1, "a": 2}',
        "no JSON {",
        "[" * 100_000,
        "1" * 5000,
    ],
)
def test_both_make_the_same_digest(arguments: str) -> None:
    assert agents.tool_digest("pay", arguments) == orchestrators.tool_digest("pay", arguments)
    assert len(agents.tool_digest("pay", arguments)) == 32


@pytest.mark.parametrize("digest", [agents.tool_digest, orchestrators.tool_digest])
def test_only_the_same_call_has_the_same_digest(digest: Callable[[str, str], bytes]) -> None:
    assert digest("pay", '{"a":1,"b":2}') == digest("pay", '{ "b": 2, "a": 1 }')
    calls = [("pay", '{"a":1}'), ("pay", '{"a":2}'), ("pay", '{"a":"1"}'), ("say", '{"a":1}'), ("pay", '{"b":1}')]
    assert len({digest(*call) for call in calls}) == len(calls)
