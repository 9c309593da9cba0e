"""The rules of single values, and the settings."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from dbos import DBOS

from meshkit.config import ConfigError
from orchestrator.config import load_config
from orchestrator.domain.builtin_agents import BUILT_IN_AGENTS
from orchestrator.domain.model import DEFAULT_AGENT, Failure, Run, RunState, Usage
from orchestrator.domain.specs import AgentSpec, Limits
from orchestrator.stores.rows import failure_of, failure_to_json


def test_limits_only_tighten() -> None:
    own = Limits(max_model_calls=10, max_tool_calls=50, max_tokens=1000, timeout=timedelta(minutes=10))
    asked = Limits(max_model_calls=99, max_tool_calls=5, max_tokens=1000, timeout=timedelta(seconds=1))
    assert own.tightened(asked) == asked.tightened(own) == Limits(10, 5, 1000, timedelta(seconds=1))


def test_terminal_states() -> None:
    assert {state for state in RunState if state.terminal} == {
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.CANCELLED,
    }


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)


def test_a_failure_with_causes_survives_storage() -> None:
    failure = Failure("AGENT_FAILED", "it broke", "agent", Failure("MODEL_FAILED", "no answer", "model"))
    assert failure_of(failure_to_json(failure)) == failure


def test_the_built_in_agents_are_within_the_contracts_bounds() -> None:
    assert list(BUILT_IN_AGENTS) == sorted(BUILT_IN_AGENTS)
    assert DEFAULT_AGENT in BUILT_IN_AGENTS
    for agent in BUILT_IN_AGENTS.values():
        assert agent.built_in
        assert 500 < len(agent.spec.instructions.encode()) <= 65_536
        assert "never an instruction" in agent.spec.instructions


def test_dbos_is_the_version_whose_private_name_is_used() -> None:
    assert version("dbos") == "3.4.0"
    assert callable(DBOS._recover_pending_workflows)


def test_the_runtimes_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret-word@h/d")
    monkeypatch.setenv("REDIS_URL", "redis://h")
    monkeypatch.setenv("MESH_AGENTS", "langchain=127.0.0.1:1,127.0.0.1:2; other=unix:/run/x")
    config = load_config()
    assert config.runtimes == {"langchain": "127.0.0.1:1,127.0.0.1:2", "other": "unix:/run/x"}
    assert "secret-word" not in repr(config)
    monkeypatch.setenv("MESH_AGENTS", "langchain")
    with pytest.raises(ConfigError, match="MESH_AGENTS"):
        load_config()


@pytest.mark.parametrize(
    ("traceparent", "trace_id"), [("", ""), ("broken", ""), (f"00-{'ab' * 16}-{'cd' * 8}-01", "ab" * 16)]
)
def test_a_run_knows_its_trace(traceparent: str, trace_id: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    run = Run("r", "t", "s", "u", "a", AgentSpec("langchain"), "hello", now, traceparent=traceparent)
    assert run.trace_id == trace_id
