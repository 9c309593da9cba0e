"""Tasks for tests."""

from dataclasses import replace
from typing import Any

from agent_service.domain.events import Usage
from agent_service.domain.ledger import Ask, Execute, Ledger, Replay, Result, Verdict
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
    return ToolRun(TASK, "tool-1", "run_1/tool-1")


class FreeLedger:
    """Lets everything be done once, and gives it again when it is asked for once more; of one run."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.results: dict[str, Result] = {}
        self._steps: dict[tuple[object, bytes, int], str] = {}

    def of(self, task: Task) -> Ledger:
        return self

    async def begin(self, ask: Ask) -> Verdict:
        self.asked.append(ask)
        number = len(self._steps) + 1
        step = self._steps.setdefault((ask.kind, ask.digest, ask.occurrence), f"{ask.kind.value}-{number}")
        if step in self.results:
            return Replay(step, self.results[step])
        return Execute(step, f"run_1/{step}")

    async def complete(self, step: str, result: Result | None, usage: Usage) -> None:
        if result is not None:
            self.results[step] = result
