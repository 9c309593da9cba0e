"""AutoGen agents and teams: AgentChat over the model gateway. The only file that imports AutoGen.

Owns the translation of a task, or of a team's, into AutoGen's words. It emits no events and contains AutoGen's side
effects: its loggers and its spans would hold whole conversations, its HTTP client uses no proxy, it retries nothing.
"""

import asyncio
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import httpx2  # type: ignore[import-not-found] # the HTTP library of its OpenAI client, in its environment only
from autogen_agentchat.agents import AssistantAgent  # type: ignore[import-not-found]
from autogen_agentchat.conditions import (  # type: ignore[import-not-found]
    FunctionalTermination,
    MaxMessageTermination,
)
from autogen_agentchat.messages import BaseChatMessage, TextMessage  # type: ignore[import-not-found]
from autogen_agentchat.teams import (  # type: ignore[import-not-found]
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
)
from autogen_core import CancellationToken, SingleThreadedAgentRuntime  # type: ignore[import-not-found]
from autogen_core.model_context import UnboundedChatCompletionContext  # type: ignore[import-not-found]
from autogen_core.models import (  # type: ignore[import-not-found]
    AssistantMessage,
    CreateResult,
    FunctionExecutionResult,
    ModelInfo,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import StaticWorkbench, TextResultContent, ToolResult, Workbench  # type: ignore[import-not-found]
from autogen_ext.models.openai import OpenAIChatCompletionClient  # type: ignore[import-not-found]
from opentelemetry.trace import NoOpTracerProvider

from agent_service.domain.recall import render
from agent_service.domain.runtime import Capability, RuntimeDescription, Speaker, Speakers
from agent_service.domain.task import Task
from agent_service.domain.team import Member, Team, TeamKind
from agent_service.domain.tool import ToolAnswer
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import InvalidArgument

__all__ = ["AutoGenRuntime"]

NAME = "autogen"
_CAPABILITIES = (
    Capability.STREAMS_TOKENS,
    Capability.CANCELS_MODEL_CALL,
    Capability.CALLS_TOOLS,
    Capability.TEAMS,
    Capability.REPLAYS,
)
_TEAMS = (TeamKind.ROUND_ROBIN, TeamKind.SELECTOR, TeamKind.MAGENTIC)
# What every model is taken for: AutoGen has a table of names, and the gateway answers for any. Ledgers are asked for as
# a JSON object, which more endpoints know than a schema.
_MODEL = ModelInfo(vision=False, function_calling=True, json_output=True, structured_output=False, family="unknown")
# Capitals, which no member's name has: a member can be taken for none of them.
_USER, _BEFORE, _MEMORY = "User", "Assistant", "Memory"


class AutoGenRuntime:
    """Runs agents and teams with AutoGen."""

    def __init__(self) -> None:
        self._description = RuntimeDescription(NAME, version("autogen-agentchat"), _CAPABILITIES, _TEAMS)
        for name in ("autogen_core", "autogen_agentchat", "autogen_ext", "httpx2"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they log every message, and a cancelled team as errors
        # The model that answers may be a fallback, and what an endpoint calls an answer's end is its own affair.
        warnings.filterwarnings("ignore", message="Resolved model mismatch|Finish reason mismatch")
        # One for all runs, without limits of its own: the gateway keeps the time, and the number of runs the count.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0)
        self._http = httpx2.AsyncClient(timeout=None, trust_env=False, limits=limits)

    async def close(self) -> None:
        """Close the connections to the gateway."""
        await self._http.aclose()

    def describe(self) -> RuntimeDescription:
        """Tell what it is."""
        return self._description

    async def run(self, task: Task, speakers: Speakers) -> str:
        """Run the agent or the team and return its answer: of a team, what was said last."""
        stage = _Stage(task, speakers, self._http)
        work = asyncio.create_task(stage.play(), name=f"autogen {task.run}")
        ends: list[asyncio.Future[Any]] = [work, stage.failure]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if stage.failure.done():
                raise stage.failure.result()
            return work.result()
        finally:
            stage.token.cancel()  # reaches what AutoGen does in tasks of its own
            work.cancel()
            await asyncio.wait([work])


class _Stage:
    """One attempt at one task. It ends early by its token, from outside or by a tool that raised."""

    def __init__(self, task: Task, speakers: Speakers, http: httpx2.AsyncClient) -> None:
        self._task, self._speakers, self._http = task, speakers, http
        self.token = CancellationToken()
        self.failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.failure.done():
            self.failure.set_result(error)
        self.token.cancel()

    async def play(self) -> str:
        return await (self._alone() if self._task.team is None else self._together(self._task.team))

    async def _alone(self) -> str:
        task = self._task
        context = [
            AssistantMessage(content=turn.text, source=_BEFORE)
            if turn.by_agent
            else UserMessage(content=turn.text, source=_USER)
            for turn in task.history
        ]
        notes = render(task.recalled)
        if notes:
            context.append(UserMessage(content=notes, source=_MEMORY))  # never the system's role: others wrote it
        speaker = self._speakers.of()
        agent = self._agent("agent", "", task.instructions, speaker, self._model(speaker), context)
        asked = TextMessage(content=task.input, source=_USER)
        result = await agent.run(task=asked, cancellation_token=self.token)
        return str(result.messages[-1].to_text())

    async def _together(self, team: Team) -> str:
        # Not AutoGen's own runtime: that one would write every message into the process's spans.
        runtime = SingleThreadedAgentRuntime(tracer_provider=NoOpTracerProvider())
        chat = self._chat(team, runtime)
        runtime.start()
        try:
            result = await chat.run(task=self._said(team), cancellation_token=self.token)
        finally:
            # Idle at once, for what is still under way is cut; told to stop before, it would trip over that.
            self.token.cancel()
            await runtime.stop_when_idle()
        said = [message for message in result.messages if isinstance(message, BaseChatMessage)]
        return str(said[-1].to_text())

    def _chat(self, team: Team, runtime: SingleThreadedAgentRuntime) -> Any:
        members = [self._member(member, team) for member in team.members]
        ends = _says(team.stop_text, [member.name for member in team.members]) if team.stop_text else None
        if team.kind is TeamKind.ROUND_ROBIN:
            return RoundRobinGroupChat(members, termination_condition=ends, max_turns=team.max_turns, runtime=runtime)
        manager = self._model(self._speakers.of(), told=self._task.instructions)
        if team.kind is TeamKind.MAGENTIC:
            # It lets one turn more be taken than it is told, and cannot be told of none.
            ends, turns = (MaxMessageTermination(1), 1) if team.max_turns == 1 else (None, team.max_turns - 1)
            return MagenticOneGroupChat(members, manager, termination_condition=ends, max_turns=turns, runtime=runtime)
        if len(members) == 1:
            raise InvalidArgument("there must be two members to choose from", field="spec.team.members")
        return SelectorGroupChat(
            members,
            manager,
            termination_condition=ends,
            max_turns=team.max_turns,
            allow_repeated_speaker=True,
            runtime=runtime,
        )

    def _member(self, member: Member, team: Team) -> AssistantAgent:
        told = [f"You are {member.name}: {member.role}"]
        if member.goal:
            told.append(f"Your goal: {member.goal}")
        # The agent's own instructions are the manager's; here there is none.
        told += [self._task.instructions] if team.kind is TeamKind.ROUND_ROBIN else []
        told.append(member.instructions)
        speaker = self._speakers.of(member.name)
        system = "\n\n".join(filter(None, told))
        return self._agent(member.name, member.role, system, speaker, self._model(speaker, names=True), [])

    def _agent(
        self, name: str, role: str, system: str, speaker: Speaker, model: OpenAIChatCompletionClient, context: list[Any]
    ) -> AssistantAgent:
        return _Assistant(
            name,
            model,
            description=role,
            system_message=system or None,
            workbench=_Tools(speaker.toolbox, self),
            model_context=UnboundedChatCompletionContext(initial_messages=context),
            # Its own default is one round of tools, whose results would be the answer. The gateway does the limiting.
            max_tool_iterations=self._task.limits.max_model_calls + 1,
        )

    def _model(self, speaker: Speaker, *, names: bool = False, told: str = "") -> OpenAIChatCompletionClient:
        """Return the speaker's model; `names` tells it who said what, `told` is its system message."""
        warmth = {} if self._task.temperature is None else {"temperature": self._task.temperature}
        return _Model(
            told,
            model=speaker.model.model,
            base_url=speaker.model.url,
            api_key=speaker.model.key,
            model_info=_MODEL,
            http_client=self._http,
            timeout=None,
            max_retries=0,
            add_name_prefixes=names,
            include_name_in_message=False,  # a field that many endpoints refuse
            **warmth,
        )

    def _said(self, team: Team) -> list[TextMessage]:
        """Return what the team is told: what was said before, what is remembered, what is asked."""
        task = self._task
        turns = [(_BEFORE if turn.by_agent else _USER, turn.text) for turn in task.history]
        notes = render(task.recalled)
        turns += [(_MEMORY, notes)] if notes else []
        if team.kind is TeamKind.MAGENTIC and turns:
            # Its planner joins the messages to one text, and would lose who said them.
            whole = "\n\n".join(f"{source} said:\n{text}" for source, text in [*turns, (_USER, task.input)])
            return [TextMessage(content=whole, source=_USER)]
        return [TextMessage(content=text, source=source) for source, text in [*turns, (_USER, task.input)]]


def _says(text: str, names: Sequence[str]) -> FunctionalTermination:
    """Return the end of a team whose member says the text; in what was asked, or what a tool brought, it is no end."""

    def said(messages: Sequence[Any]) -> bool:
        return any(
            isinstance(each, BaseChatMessage) and each.source in names and text in each.to_text() for each in messages
        )

    return FunctionalTermination(said)


class _Model(OpenAIChatCompletionClient):  # type: ignore[misc]
    """A speaker's model. A manager has no place for instructions of its own: they are put before what it asks."""

    def __init__(self, told: str, **options: Any) -> None:
        super().__init__(**options)
        self._told = [SystemMessage(content=told)] if told else []

    async def create(self, messages: Sequence[Any], **options: Any) -> CreateResult:
        return await super().create([*self._told, *messages], **options)


class _Tools(StaticWorkbench):  # type: ignore[misc]
    """A speaker's toolbox in AutoGen's shape."""

    def __init__(self, toolbox: Toolbox, stage: _Stage) -> None:
        super().__init__([])
        self._toolbox, self._stage = toolbox, stage

    async def list_tools(self) -> list[Any]:
        return [
            {"name": tool.name, "description": tool.description, "parameters": dict(tool.input_schema)}
            for tool in self._toolbox.offered
        ]

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any] | None = None, cancellation_token: Any = None, call_id: Any = None
    ) -> ToolResult:
        """Call the tool. Never raises once the run is over: AutoGen would wait for this result in a task of its own."""
        call = asyncio.ensure_future(self._toolbox.call(call_id or "", name, arguments or {}))
        self._stage.token.link_future(call)
        answer = ToolAnswer("The run is over.", is_error=True)  # read by no model: the token stops the next call
        try:
            answer = await call
        except asyncio.CancelledError:
            if not self._stage.token.is_cancelled():
                raise
        except Exception as error:  # noqa: BLE001 - raised again where the run is waited for
            self._stage.fail(error)
        return ToolResult(name=name, result=[TextResultContent(content=answer.content)], is_error=answer.is_error)


class _Assistant(AssistantAgent):  # type: ignore[misc]
    """Sends every call to the toolbox, also what AutoGen would answer unseen: tools that are none, broken arguments."""

    @staticmethod
    async def _execute_tool_call(tool_call: Any, workbench: Sequence[Workbench], **_: Any) -> tuple[Any, Any]:
        arguments = _read(tool_call.arguments)
        result = await workbench[0].call_tool(tool_call.name, arguments, call_id=tool_call.id)
        answer = FunctionExecutionResult(
            call_id=tool_call.id, name=tool_call.name, content=result.to_text(), is_error=result.is_error
        )
        return tool_call, answer


def _read(arguments: str) -> dict[str, Any]:
    """Return the arguments, or none: the toolbox has what the model wrote, and says what is wrong with it."""
    try:
        read = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
