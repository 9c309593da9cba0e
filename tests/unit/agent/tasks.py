"""Tasks for tests."""

from dataclasses import replace
from typing import Any

from agent_service.domain.task import Limits, Task
from agent_service.domain.tool import ToolRun

TASK = Task(
    run="run_1",
    attempt=1,
    session="ses_1",
    user="ada",
    agent="helper",
    runtime="plain",
    model="",
    instructions="",
    tools=(),
    temperature=None,
    may_remember=True,
    limits=Limits(),
    input="hello",
    history=(),
    recalled=(),
    memory_token="secret-token",
)


def task(**fields: Any) -> Task:
    return replace(TASK, **fields)


def tool_run() -> ToolRun:
    return ToolRun(TASK, "tool-1")
