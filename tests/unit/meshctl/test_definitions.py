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
  limits: {timeout: 1.5m, max_model_calls: 9, max_tokens: 5000}
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
        ("name: a\nspec:\n  runtme: x\n", "3: spec.runtme: there is no such field; there are runtime, model"),
        ("name: a\netag: x\n", "2: etag: there is no such field"),
        ("name: a\nname: b\n", "2: name: it is there twice"),
        ("spec: {runtime: x}\n", "1: name: it is missing"),
        ("name: 1\n", "1: name: it is a text"),
        ("name: a\nspec: {memory: sometimes}\n", "2: spec.memory: 'sometimes' is none of read_write, read_only, none"),
        ("name: a\nspec: {memory: }\n", "2: spec.memory: None is none of"),
        ("name: a\nspec: {limits: {timeout: soon}}\n", "2: spec.limits.timeout: it is no duration"),
        ("name: a\nspec: {limits: {timeout: -5}}\n", "2: spec.limits.timeout: it is no duration"),
        ("name: a\nspec: {limits: {timeout: true}}\n", "2: spec.limits.timeout: it is no duration"),
        ("name: a\nspec:\n  tools: calculator\n", "3: spec.tools: it is a list"),
        ("name: a\nspec:\n  tools:\n    - x\n    - yes\n", "5: spec.tools[1]: it is a text"),
        ("name: a\nspec: [1]\n", "2: spec: it is a mapping"),
        ("name: a\nspec: {limits: {max_model_calls: many}}\n", "2: spec.limits.max_model_calls: it is a whole number"),
        ("name: a\nspec: {limits: {max_model_calls: true}}\n", "2: spec.limits.max_model_calls: it is a whole number"),
        ("name: a\nspec: {limits: {max_model_calls: 99999999999}}\n", "1: agent: Failed to parse"),
        ("name: a\nspec: {temperature: .nan}\n", "1: agent: Failed to parse"),
        ("name: a\nspec: {output_schema: [1]}\n", "2: spec.output_schema: it is a mapping"),
        ("name: a\nspec: {output_schema: {1: x}}\n", "2: spec.output_schema: it holds more than JSON"),
        ("name: a\nspec: {output_schema: {x: 2020-01-01}}\n", "2: spec.output_schema: it holds more than JSON"),
        ("name: a\nspec: {output_schema: {x: .inf}}\n", "2: spec.output_schema: it holds more than JSON"),
        ("name: a\nspec: &s\n  team: *s\n", "3: *s: aliases are not taken"),
        ("- a\n", "1: agent: it is a mapping"),
        ("name: [\n", "2: expected the node content"),
        ("name: " + "[" * 600 + "]" * 600, " it is nested too deeply"),
        ("name: \x01\n", " unacceptable character"),
        ("", " it holds no agent"),
        ("---\n---\n", " it holds no agent"),
        ("name: !!python/object/apply:os.system ['true']\n", "1: could not determine a constructor"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(InvalidArgument) as caught:
        read_definitions(file)
    assert caught.value.message.startswith(f"{file}:{said}")


def test_lines_are_those_of_the_file_in_later_documents_too(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("name: a\nspec: {runtime: langchain}\n---\nname: b\nspec: {nope: 1}\n")
    with pytest.raises(InvalidArgument, match=r"wrong\.yaml:5: spec\.nope"):
        read_definitions(file)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("14d", 1209600), ("1234567s", 1234567)]
)
def test_durations_are_exact(tmp_path: Path, text: str, seconds: int) -> None:
    (tmp_path / "one.yaml").write_text(f"name: a\nspec: {{limits: {{timeout: {text}}}}}\n")
    (agent,) = read_definitions(tmp_path / "one.yaml")
    assert agent.spec.limits.timeout.ToTimedelta().total_seconds() == seconds


def test_a_file_of_another_size_or_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("#" * (1024 * 1024 + 1))
    with pytest.raises(InvalidArgument, match="larger than 1 MiB"):
        read_definitions(tmp_path / "large.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe\x00")
    with pytest.raises(InvalidArgument, match=r"binary\.yaml: "):
        read_definitions(tmp_path / "binary.yaml")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_definitions(tmp_path / "nothing.yaml")
