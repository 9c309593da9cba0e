"""CrewAI agents and crews over the model gateway. The only file that imports CrewAI.

Owns the translation of a task into CrewAI's words, and keeps CrewAI to itself: it runs in a thread of its own, since it
blocks, and meets the service only over a bridge that ends with the run. It emits no events.

    run ─► thread: Agent.kickoff / Crew.kickoff ─► _Model, _Tool ─► bridge ─► loop: gateway, toolbox
"""

import asyncio
import contextvars
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
from pydantic import Field, PrivateAttr

from agent_service.adapters.thread_bridge import ThreadBridge
from agent_service.domain.recall import render
from agent_service.domain.runtime import Capability, RuntimeDescription, Speaker, Speakers
from agent_service.domain.task import Task
from agent_service.domain.team import Member, Team, TeamKind, TeamTask
from agent_service.domain.tool import Tool

# CrewAI is configured by the environment alone, most of it read while it is imported: what it would send (telemetry,
# traces, a look for newer versions), what it would read (any `.env` above its own files, the results of a training in
# the working directory, somebody's login in the home, where it also puts a key) and where it would keep what it hears.
_STORAGE = tempfile.TemporaryDirectory(prefix="agentmesh-crewai-")
os.environ.update(
    HOME=_STORAGE.name,
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_DISABLE_TRACKING="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    PYTHON_DOTENV_DISABLED="true",
    CREWAI_STORAGE_DIR=_STORAGE.name,
    CREWAI_TRAINED_AGENTS_FILE=str(Path(_STORAGE.name) / "untrained.pkl"),
)

from crewai import Agent, BaseLLM, Crew, Process  # type: ignore[import-not-found] # noqa: E402 - see above
from crewai import Task as CrewTask  # noqa: E402
from crewai.events.event_listener import event_listener  # type: ignore[import-not-found] # noqa: E402
from crewai.hooks import register_after_tool_call_hook  # type: ignore[import-not-found] # noqa: E402
from crewai.tools import BaseTool  # type: ignore[import-not-found] # noqa: E402
from crewai.utilities import agent_utils  # type: ignore[import-not-found] # noqa: E402
from crewai_core.printer import set_suppress_console_output  # type: ignore[import-not-found] # noqa: E402

__all__ = ["CrewAIRuntime"]

_CAPABILITIES = (
    Capability.STREAMS_TOKENS,
    Capability.CANCELS_MODEL_CALL,
    Capability.CALLS_TOOLS,
    Capability.TEAMS,
    Capability.REPLAYS,
)
_KINDS = {TeamKind.SEQUENTIAL: Process.sequential, TeamKind.HIERARCHICAL: Process.hierarchical}
_GOAL = "Do what the user asks, as well as you can."
_MANAGER_GOAL = "Manage the team to complete the task in the best way possible."

event_listener.formatter.verbose = False  # it would print panels
# It fails a run that made the same call five times, such as one that waits for something; the gate has the limits.
agent_utils.MAX_REPEATED_TOOL_CALLS = sys.maxsize


class CrewAIRuntime:
    """Runs agents with CrewAI."""

    def __init__(self) -> None:
        self._description = RuntimeDescription("crewai", version("crewai"), _CAPABILITIES, tuple(_KINDS))
        self._threads = ThreadPoolExecutor(10_000, thread_name_prefix="crew")  # as many as a process may have runs
        # One for all runs. The gateway keeps the time of every call, and the number of runs bounds the connections.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(None), trust_env=False, limits=limits)
        register_after_tool_call_hook(_answer_unknown)

    async def close(self) -> None:
        """Close the connections to the gateway and let go of the threads."""
        self._threads.shutdown(wait=False)
        await self._http.aclose()
        _STORAGE.cleanup()

    def describe(self) -> RuntimeDescription:
        """Tell what it is."""
        return self._description

    async def run(self, task: Task, speakers: Speakers) -> str:
        """Run the agent, or its crew, and return the answer."""
        bridge = ThreadBridge()
        studio = _Studio(task, speakers, bridge, self._http)
        context = contextvars.copy_context()
        context.run(set_suppress_console_output, True)
        working = asyncio.get_running_loop().run_in_executor(self._threads, context.run, studio.work)
        try:
            return await asyncio.shield(working)
        finally:
            bridge.shut()
            await asyncio.wait([working])  # soon: whatever it does next over the bridge fails
            working.exception()  # seen: asyncio need not warn of it


class _Studio:
    """Makes the agents of one run and lets them work, in a thread."""

    def __init__(self, task: Task, speakers: Speakers, bridge: ThreadBridge, http: httpx.AsyncClient) -> None:
        self._task, self._speakers, self._bridge, self._http = task, speakers, bridge, http
        self._before = _said_before(task)

    def work(self) -> str:
        """Work to the end; return the answer."""
        team = self._task.team
        if team is None:
            agent = self._agent("", self._task.agent, self._task.instructions, _GOAL)
            return str(agent.kickoff(self._task.input).raw)
        return str(self._crew(team).kickoff().raw)

    def _crew(self, team: Team) -> "_Crew":
        has_manager = team.kind is TeamKind.HIERARCHICAL
        members = {member.name: self._member(member, has_manager=has_manager) for member in team.members}
        tasks = [self._crew_task(each, members.get(each.member)) for each in team.tasks]
        manager = self._agent("", self._task.agent, self._task.instructions, _MANAGER_GOAL) if has_manager else None
        for agent in (*members.values(), *([manager] if manager else [])):
            agent.coworkers = {member.name: member.role for member in team.members}
        return _Crew(
            agents=list(members.values()), tasks=tasks, process=_KINDS[team.kind], manager_agent=manager, tracing=False
        )

    def _member(self, member: Member, *, has_manager: bool) -> "_Agent":
        common = () if has_manager else (self._task.instructions,)
        backstory = "\n\n".join(part for part in (member.role, *common, member.instructions) if part)
        return self._agent(member.name, member.name, backstory, member.goal or "To fulfil your role.")

    def _crew_task(self, task: TeamTask, agent: "_Agent | None") -> Any:
        description = f"{task.description}\n\nIt is part of what the user asks for:\n{self._task.input}"
        return CrewTask(description=description, expected_output=task.expected_output, agent=agent)

    def _agent(self, speaker: str, role: str, backstory: str, goal: str) -> "_Agent":
        own = self._speakers.of(speaker)
        tools = own.toolbox.offered
        model = _Model(model=own.model.model, temperature=self._task.temperature)
        model.connect(own, self._bridge, self._http, self._before)
        return _Agent(
            role=role,
            goal=goal,
            backstory=backstory,
            llm=model,
            tools=[_Tool(name=each.name, description=each.description, use=model.use_tool) for each in tools],
            max_iter=4 * self._task.limits.max_model_calls + 16,  # the toolbox and the gateway do the limiting
            max_retry_limit=0,
            verbose=False,
            respect_context_window=False,  # it would summarise, by a reckoning of tokens that fits no model
            use_better_compaction=False,  # it would put long answers in files under random names
        )


class _Model(BaseLLM):  # type: ignore[misc]
    """The model of one speaker: asked through the gateway, on the loop, as one document.

    The gateway has told every token already; here a stream would cost CPU for nobody.
    """

    _speaker: Any = PrivateAttr()
    _bridge: Any = PrivateAttr()
    _http: Any = PrivateAttr()
    _before: Any = PrivateAttr()

    def connect(
        self, speaker: Speaker, bridge: ThreadBridge, http: httpx.AsyncClient, before: Sequence[Mapping[str, Any]]
    ) -> None:
        """Give it what it speaks through, and the messages that went before all that CrewAI knows of."""
        self._speaker, self._bridge, self._http, self._before = speaker, bridge, http, before

    def call(self, messages: Any, tools: Any = None, *_: Any, **__: Any) -> Any:
        """Return what the model says, or the list of tools that it calls."""
        asked = _messages(messages, self._before)
        while True:
            said = self._bridge.call(self._ask(asked, tools or ()))
            # CrewAI's own id for a call that has none would be an address in memory: another one after a restart.
            calls = [
                {**each, "id": each["id"] or f"call_{len(asked)}_{number}"}
                for number, each in enumerate(said.get("tool_calls") or ())
            ]
            if tools or not calls:
                return calls or _Said(said["content"])
            # An agent without tools does not expect this.
            asked += [{"role": "assistant", "content": said["content"], "tool_calls": calls}]
            for each in calls:
                answer = self.use_tool(each["function"]["name"], json.loads(each["function"]["arguments"]))
                asked += [{"role": "tool", "tool_call_id": each["id"], "content": answer}]

    def use_tool(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool of the speaker; return what the model is told."""
        return str(self._bridge.call(self._speaker.toolbox.call("", name, arguments)).content)

    def supports_function_calling(self) -> bool:
        """Say that tools are called in the protocol, not in prose."""
        return True

    def supports_stop_words(self) -> bool:
        """Say that nothing is cut off."""
        return False

    async def _ask(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        endpoint = self._speaker.model
        body: dict[str, Any] = {"model": endpoint.model, "messages": messages}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if tools:
            own = {tool.name: tool for tool in self._speaker.toolbox.offered}
            body["tools"] = [_offer(own.get(each["function"]["name"]), each) for each in tools]
        headers = {"authorization": f"Bearer {endpoint.key}"}
        response = await self._http.post(f"{endpoint.url}/chat/completions", json=body, headers=headers)
        if response.status_code != httpx.codes.OK:
            raise _RefusedError  # without the words: CrewAI tries some again, such as "rate limit"
        return dict(response.json()["choices"][0]["message"])


class _Tool(BaseTool):  # type: ignore[misc]
    """A tool of the run in CrewAI's shape; it declares no arguments, so that CrewAI neither checks nor mends them."""

    use: Any

    def _run(self, **arguments: Any) -> str:
        return str(self.use(self.name, arguments))


class _Agent(Agent):  # type: ignore[misc]
    """An agent that knows what its coworkers are."""

    coworkers: dict[str, str] = Field(default_factory=dict)

    def get_delegation_tools(self, agents: Sequence[Any]) -> list[Any]:
        """Return the tools that hand work to the agents."""
        tools: list[Any] = super().get_delegation_tools(agents)
        who = "\n".join(f"- {agent.role}: {self.coworkers[agent.role]}" for agent in agents)
        for tool in tools:
            tool.description += f"\n{who}"
            # CrewAI calls a tool that has a bound one call after another. An agent can only do one task at a time.
            tool.max_usage_count = sys.maxsize
        return tools


class _Crew(Crew):  # type: ignore[misc]
    """A crew without a record of its own, whose manager has no tools but those that hand out work."""

    def _store_execution_log(self, *_: Any, **__: Any) -> None:
        """Store nothing: it would go to a database, of which all is read again for each task of each crew."""

    def _update_manager_tools(self, task: Any, tools: Any) -> Any:
        return super()._update_manager_tools(task, [])  # not those of the member whose task it is


class _Said(str):
    """What the model says. CrewAI takes an empty answer for a failure, where it is an answer."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


class _RefusedError(Exception):
    """The gateway refused a call: the run is over, by a reason that it has told."""


def _answer_unknown(context: Any) -> str | None:
    """Send the call of a tool that does not exist to the toolbox: CrewAI would answer it unseen."""
    model = getattr(context.agent, "llm", None)
    if context.tool is None and isinstance(model, _Model):
        return model.use_tool(context.tool_name, context.tool_input)
    return None


def _offer(tool: Tool | None, native: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool as the model is told of it: one of ours by its own schema."""
    if tool is None:
        return native
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.input_schema)}
    return {"type": "function", "function": function}


def _messages(messages: Any, before: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return CrewAI's messages in the protocol, with what went before them after the system's."""
    messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    names = ("role", "content", "tool_calls", "tool_call_id")
    plain = [{name: each[name] for name in names if name in each} for each in messages]
    system = [each for each in plain if each["role"] == "system"]
    return [*system, *before, *(each for each in plain if each["role"] != "system")]


def _said_before(task: Task) -> list[Mapping[str, Any]]:
    said = [{"role": "assistant" if turn.by_agent else "user", "content": turn.text} for turn in task.history]
    notes = render(task.recalled)
    return [*said, {"role": "user", "content": notes}] if notes else [*said]  # never the system's: others wrote it
