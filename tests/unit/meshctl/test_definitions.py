"""Agents in YAML files: what they mean, and what is said of one that is wrong."""

from pathlib import Path

import pytest
from agentmesh.agent.v1.agent_spec_pb2 import APPROVAL_ASK, MEMORY_POLICY_READ_ONLY
from agentmesh.agent.v1.team_pb2 import TEAM_KIND_ROUND_ROBIN

from meshctl.definitions import read_definitions, write_definition
from meshctl.runtimes import RUNTIMES
from meshkit.errors import InvalidArgument

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "agents").glob("*.yaml"))

WHOLE = """\
# A comment
name: pair
description: Two agents
spec:
  runtime: autogen
  memory: read_only
  temperature: 0.5
  tools: []
  limits: {timeout: 1.5m, max_model_calls: 9}
  tool_policies:
    - {tool: calculator, approval: ask, time_limit: 2h}
  output_schema: {type: object, properties: {n: {type: integer}}}
  team:
    kind: round_robin
    max_turns: 4
    members:
      - {name: one, role: First, tools: [calculator]}
      - {name: two, role: Second}
---
name: second
spec: {runtime: langchain, cache_time: 30}
"""


def test_short_words_mean_the_contracts(tmp_path: Path) -> None:
    (tmp_path / "agents.yaml").write_text(WHOLE)
    pair, second = read_definitions(tmp_path / "agents.yaml")
    assert (pair.name, pair.description, pair.spec.runtime) == ("pair", "Two agents", "autogen")
    assert pair.spec.memory == MEMORY_POLICY_READ_ONLY
    assert pair.spec.limits.timeout.ToTimedelta().total_seconds() == 90
    (policy,) = pair.spec.tool_policies
    assert (policy.approval, policy.time_limit.seconds) == (APPROVAL_ASK, 7200)
    assert pair.spec.team.kind == TEAM_KIND_ROUND_ROBIN
    assert [member.name for member in pair.spec.team.members] == ["one", "two"]
    assert pair.spec.output_schema["properties"]["n"]["type"] == "integer"
    assert (second.spec.cache_time.seconds, second.name) == (30, "second")


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "agents.yaml").write_text(WHOLE)
    for agent in read_definitions(tmp_path / "agents.yaml"):
        (tmp_path / "again.yaml").write_text(write_definition(agent))
        assert read_definitions(tmp_path / "again.yaml") == [agent]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_an_agent_of_a_runtime_that_there_is(path: Path) -> None:
    (agent,) = read_definitions(path)
    assert agent.name == path.stem
    assert agent.spec.runtime in RUNTIMES
    assert agent.description


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nspec:\n  runtme: x\n", "spec.runtme: there is no such field"),
        ("name: a\netag: x\n", "etag: there is no such field"),
        ("name: a\nspec: {memory: sometimes}\n", "spec.memory: 'sometimes' is none of read_write, read_only, none"),
        ("name: a\nspec: {limits: {timeout: soon}}\n", "spec.limits.timeout: 'soon' is no duration"),
        ("name: a\nspec: {tools: calculator}\n", "spec.tools: it is a list"),
        ("name: a\nspec: [1]\n", "spec: it is a mapping"),
        ("name: a\nspec: {limits: {max_model_calls: many}}\n", "max_model_calls"),
        ("- a\n", "agent: it is a mapping"),
        ("name: [\n", "line 2"),
        ("", "it holds no agent"),
        ("name: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(InvalidArgument) as caught:
        read_definitions(file)
    assert said in caught.value.message
    assert caught.value.message.startswith(str(file))


def test_later_documents_are_told_by_their_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("name: a\nspec: {runtime: langchain}\n---\nname: b\nspec: {nope: 1}\n")
    with pytest.raises(InvalidArgument, match=r"wrong\.yaml:4: spec\.nope"):
        read_definitions(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_definitions(tmp_path / "nothing.yaml")
