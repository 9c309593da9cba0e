"""Runs agents: one task from its input to its answer, within its limits, stopped when nobody listens any more.

Owns the life of a run inside this process and how it ends:

    the framework answers           Completed, or OUTPUT_INVALID when that does not fit the schema, twice
    the ledger tells it to stop     Suspended, once what is under way is recorded
    the process drains              DRAINING, likewise
    the gate failed or met a limit  the gate's error (MODEL_FAILED, MODEL_TIMEOUT, LIMIT_REACHED, ATTEMPT_SUPERSEDED)
    the time is over                LimitReached("timeout"), then LIMIT_REACHED
    the framework raised            AGENT_FAILED
    the framework cancelled itself  DEPENDENCY_UNAVAILABLE, so that the orchestrator tries again
    the reader left                 everything is cancelled
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_service.domain.activity import MAX_TEXT_BYTES, Activity
from agent_service.domain.asking import AskAgent
from agent_service.domain.breaker import Breakers
from agent_service.domain.events import AgentEvent, Completed, Suspended
from agent_service.domain.gate import Gate
from agent_service.domain.ledger import Ledgers, SuspendedError
from agent_service.domain.runtime import Capability, ModelGate, Runtime, RuntimeDescription, Speakers
from agent_service.domain.structured import Schemas, StructuredAnswer
from agent_service.domain.task import Task
from agent_service.domain.text import clean
from agent_service.domain.tool import Tool
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import Internal, InvalidArgument, MeshError, ResourceExhausted, Unavailable

__all__ = ["Executor"]

# How long a cancelled framework may take to unwind before the run ends without it.
_UNWIND_SECONDS = 5.0


class Executor:
    """Runs the agents of one framework."""

    def __init__(
        self,
        runtime: Runtime,
        models: ModelGate,
        tools: Sequence[Tool],
        ledgers: Ledgers,
        breakers: Breakers,
        schemas: Schemas,
        *,
        max_runs: int,
        leaving: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_runs` is how many runs the process carries at once; a run holds some megabytes and a model socket.

        `breakers` are the process's, of models and tools; `leaving` tells whether the process drains.
        """
        self._runtime, self._models, self._ledgers, self._leaving = runtime, models, ledgers, leaving
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        """What agents may name."""
        self._breakers, self._schemas, self._max_runs, self._clock = breakers, schemas, max_runs, clock
        self.running = 0
        """How many runs are under way."""

    @property
    def default_model(self) -> str:
        """The model of agents that name none."""
        return self._models.default_model

    def describe(self) -> RuntimeDescription:
        """Tell which framework it is, and what it does here: answers that fit a schema are not its own doing."""
        described = self._runtime.describe()
        return replace(described, capabilities=(*described.capabilities, Capability.STRUCTURED_OUTPUT))

    async def execute(self, task: Task) -> AsyncGenerator[AgentEvent, None]:
        """Run the task; the last event is Completed or Suspended.

        Raises InvalidArgument for a wrong runtime, tool or schema, ResourceExhausted (OVERLOADED) when the process is
        full, and what the module's table says. Closing the iterator stops the run and its model calls.
        """
        toolsets = self._toolsets_of(task)
        if self.running >= self._max_runs:
            raise ResourceExhausted("the process runs as many agents as it may", reason="OVERLOADED", retry_after=1.0)
        self.running += 1
        activity = Activity(task.limits, self._clock)
        worker = asyncio.create_task(self._run(task, toolsets, activity), name=f"run {task.run}")
        try:
            async for event in activity.events():
                yield event
            try:
                last: Completed | Suspended = Completed(await worker, activity.total)
            except SuspendedError:
                last = Suspended()
            yield AgentEvent("", last)
        finally:
            self.running -= 1
            worker.cancel()
            await asyncio.wait([worker])

    def _toolsets_of(self, task: Task) -> dict[str, list[Tool]]:
        """Return the tools of each speaker, by its name; the agent itself has the empty one."""
        described = self._runtime.describe()
        if task.runtime != described.name:
            raise InvalidArgument("this process does not run that runtime", field="spec.runtime")
        asking = {tool.name: tool for tool in (AskAgent(peer) for peer in task.peers)}
        offered = {**self.tools, **asking}
        toolsets = {"": [*_named(task, task.tools, offered, "spec.tools"), *asking.values()]}
        if task.team is None:
            return toolsets
        if task.team.kind not in described.team_kinds:
            raise InvalidArgument(f"{described.name} runs no team of that kind", field="spec.team.kind")
        for index, member in enumerate(task.team.members):
            field = f"spec.team.members[{index}].tools"
            toolsets[member.name] = _named(task, member.tools, offered, field)
        return toolsets

    async def _run(self, task: Task, toolsets: Mapping[str, Sequence[Tool]], activity: Activity) -> str:
        """Return the answer, or raise the error that ends the run. Closes the activity either way."""
        gate = Gate(self._ledgers.of(task), activity, self._clock, leaving=self._leaving)
        toolboxes = {name: Toolbox(tools, task, gate, self._breakers, speaker=name) for name, tools in toolsets.items()}
        framework: asyncio.Task[str] | None = None
        try:
            with self._models.open(task, gate, toolboxes) as speakers:
                framework = asyncio.create_task(self._answer(task, speakers), name=f"agent {task.run}")
                ends: list[asyncio.Future[Any]] = [framework, activity.failure]
                await asyncio.wait(ends, timeout=activity.remaining(), return_when=asyncio.FIRST_COMPLETED)
                return self._outcome(task, activity, framework)
        finally:
            # By now the model gate is shut, whatever the framework does with its cancellation.
            if framework is not None:
                framework.cancel()
                await asyncio.wait([framework], timeout=_UNWIND_SECONDS)
                if framework.done() and not framework.cancelled():
                    framework.exception()  # seen: asyncio need not warn of it
            activity.close()

    async def _answer(self, task: Task, speakers: Speakers) -> str:
        if task.output_schema is None:
            return _sound(await self._runtime.run(task, speakers))
        structured = StructuredAnswer(task, self._schemas)
        await structured.check_schema()
        answer = _sound(await self._runtime.run(replace(task, instructions=structured.instructions), speakers))

        async def ask(messages: list[dict[str, str]]) -> str:
            warmth = {} if task.temperature is None else {"temperature": task.temperature}
            return _sound(await self._models.ask(speakers.of().model, {"messages": messages, **warmth}))

        return await structured.fit(answer, ask)

    def _outcome(self, task: Task, activity: Activity, framework: asyncio.Task[str]) -> str:
        if activity.failure.done():
            raise activity.failure.result()
        if not framework.done():
            raise activity.reach("timeout", round(task.limits.timeout))
        if framework.cancelled():
            # By itself: nobody asked for it. Left alone it would read as if the caller had cancelled the run.
            raise Unavailable("the framework cancelled its own work")
        error = framework.exception()
        if isinstance(error, MeshError):
            raise error
        if error is not None:
            # The text of a foreign exception may hold anything; the cause is logged, redacted, where calls end.
            raise Internal(f"the framework raised {type(error).__name__}", reason="AGENT_FAILED") from error
        return framework.result()


def _sound(answer: str) -> str:
    """Return the answer as text that can be stored. Raises Internal for one that is too long."""
    answer = clean(answer)
    if len(answer.encode()) > MAX_TEXT_BYTES:
        raise Internal(f"the answer is longer than {MAX_TEXT_BYTES} bytes", reason="AGENT_FAILED")
    return answer


def _named(task: Task, names: Sequence[str], offered: Mapping[str, Tool], field: str) -> list[Tool]:
    """Return the tools of these names. Raises InvalidArgument for one that there is not, or that it may not have."""
    for index, name in enumerate(names):
        tool = offered.get(name)
        if tool is None:
            raise InvalidArgument(f"there is no tool {name}", field=f"{field}[{index}]")
        if tool.writes_memory and not task.may_remember:
            raise InvalidArgument(f"{name} needs a memory policy that writes", field=f"{field}[{index}]")
    return [offered[name] for name in names]
