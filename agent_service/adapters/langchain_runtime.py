"""LangChain agents: `create_agent` over the model gateway. The only file that imports LangChain.

Owns the translation of a task into LangChain's words: each speaker is an agent, a graph of LangGraph; members take
turns in one conversation, or work on what their supervisor asks of them. It emits no events and contains LangChain's
side effects: its tracing is off whatever the environment says, its HTTP client uses no proxy, it retries nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import httpx2  # type: ignore[import-not-found] # the HTTP library of LangChain's OpenAI client, in its environment only
from langchain.agents import create_agent  # type: ignore[import-not-found]
from langchain.agents.middleware import AgentMiddleware, hook_config  # type: ignore[import-not-found]
from langchain.messages import (  # type: ignore[import-not-found]
    AIMessage,
    HumanMessage,
    ToolMessage,
)
from langchain.tools import BaseTool  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langsmith import tracing_context  # type: ignore[import-not-found]

from agent_service.domain.recall import render
from agent_service.domain.runtime import Capability, ModelEndpoint, RuntimeDescription, Speaker, Speakers
from agent_service.domain.task import Task
from agent_service.domain.team import Member, Team, TeamKind
from agent_service.domain.tool import Tool
from agent_service.domain.toolbox import Toolbox

__all__ = ["LangChainRuntime"]

NAME = "langchain"
_CAPABILITIES = (
    Capability.STREAMS_TOKENS,
    Capability.CANCELS_MODEL_CALL,
    Capability.CALLS_TOOLS,
    Capability.TEAMS,
    Capability.REPLAYS,
)
_TEAM_KINDS = (TeamKind.HANDOFF, TeamKind.SUPERVISOR)


class LangChainRuntime:
    """Runs agents with LangChain."""

    def __init__(self) -> None:
        self._description = RuntimeDescription(NAME, version("langchain"), _CAPABILITIES, _TEAM_KINDS)
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it would log a line for every model call
        # One for all runs: making one takes 50 ms, for certificates that loopback never asks for. The gateway keeps the
        # time of every call, and the number of runs bounds the connections.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0)
        self._http = httpx2.AsyncClient(timeout=None, trust_env=False, limits=limits)

    async def close(self) -> None:
        """Close the connections to the gateway."""
        await self._http.aclose()

    def describe(self) -> RuntimeDescription:
        """Tell what it is."""
        return self._description

    async def run(self, task: Task, speakers: Speakers) -> str:
        """Run the agent, or its team, and return the answer."""
        with tracing_context(enabled=False):
            if task.team is None:
                return _last(await self._speak(task, speakers.of(), task.instructions, _messages(task)))
            if task.team.kind is TeamKind.HANDOFF:
                return await self._take_turns(task, task.team, speakers)
            return await self._supervise(task, task.team, speakers)

    async def _take_turns(self, task: Task, team: Team, speakers: Speakers) -> str:
        """Let the members speak in one conversation, each until it answers or hands over."""
        members = {member.name: member for member in team.members}
        speaking, messages = team.members[0], _messages(task)
        for turns_left in reversed(range(team.max_turns)):
            others = speaking.hand_offs or tuple(name for name in members if name != speaking.name)
            # Whoever has the last turn cannot hand over, so it must answer.
            turn = _Turn([members[name] for name in others] if turns_left else [])
            told = _persona(speaking, task.instructions)  # here is no supervisor whose they would be
            messages = await self._speak(task, speakers.of(speaking.name), told, messages, turn, name=speaking.name)
            if not turn.to:
                break
            speaking = members[turn.to]
        return _last(messages)

    async def _supervise(self, task: Task, team: Team, speakers: Speakers) -> str:
        """Let the agent answer, with its members to ask."""

        async def ask(member: Member, text: str) -> str:
            told = _persona(member, "")
            return _last(
                await self._speak(task, speakers.of(member.name), told, [HumanMessage(content=text)], name=member.name)
            )

        members = _Members(team, ask)
        return _last(await self._speak(task, speakers.of(), task.instructions, _messages(task), members))

    async def _speak(
        self,
        task: Task,
        speaker: Speaker,
        instructions: str,
        messages: Sequence[Any],
        *middleware: AgentMiddleware,
        name: str = "",
    ) -> list[Any]:
        """Return the conversation as it is when the speaker has nothing more to say; an empty `name` is the agent's."""
        agent = create_agent(
            self._model(task, speaker.model),
            [_native(tool, speaker.toolbox) for tool in speaker.toolbox.offered],
            system_prompt=instructions or None,
            middleware=[_Mistakes(speaker.toolbox), *middleware],
            name=name or task.agent,
        )
        # One model call and one round of tools are a step each; the toolbox and the gateway do the limiting.
        config = {"recursion_limit": 4 * task.limits.max_model_calls + 16}
        state = await agent.ainvoke({"messages": messages}, config)
        return list(state["messages"])

    def _model(self, task: Task, endpoint: ModelEndpoint) -> ChatOpenAI:
        return ChatOpenAI(
            model=endpoint.model,
            base_url=endpoint.url,
            api_key=endpoint.key,
            temperature=task.temperature,
            max_retries=0,
            # The gateway has told every token already; here a stream would cost CPU for nobody.
            disable_streaming=True,
            http_async_client=self._http,
            http_socket_options=(),
            organization="",
        )


def _messages(task: Task) -> list[Any]:
    messages: list[Any] = [
        AIMessage(content=turn.text) if turn.by_agent else HumanMessage(content=turn.text) for turn in task.history
    ]
    notes = render(task.recalled)
    if notes:
        messages.append(HumanMessage(content=notes))  # never the system's role: others wrote it
    messages.append(HumanMessage(content=task.input))
    return messages


def _last(messages: Sequence[Any]) -> str:
    return str(messages[-1].text)


def _persona(member: Member, shared: str) -> str:
    """Return what a member is told to be; `shared` is told to all of them."""
    goal = member.goal and f"Your goal: {member.goal}"
    told = (f"You are {member.name}: {member.role}", goal, shared, member.instructions)
    return "\n\n".join(text for text in told if text)


def _native(tool: Tool, toolbox: Toolbox) -> BaseTool:
    schema = dict(tool.input_schema)
    return _Tool(name=tool.name, description=tool.description, args_schema=schema, answer=partial(_call, toolbox))


class _Tool(BaseTool):  # type: ignore[misc]
    """Something that a model may call, in LangChain's shape; `answer` is given the call."""

    answer: Any

    def _run(self, *args: Any, **kwargs: Any) -> str:
        raise NotImplementedError

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> ToolMessage:  # noqa: A002 - LangChain's name
        """Call the tool, without LangChain's own reading of the arguments: ours tells the model what is wrong."""
        answer: ToolMessage = await self.answer(input)
        return answer


class _Mistakes(AgentMiddleware):  # type: ignore[misc]
    """Sends calls of tools that do not exist through the toolbox too: LangChain would answer them unseen."""

    def __init__(self, toolbox: Toolbox) -> None:
        super().__init__()
        self._toolbox = toolbox

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Call the tool that there is, or say that there is none."""
        return await (handler(request) if request.tool is not None else _call(self._toolbox, request.tool_call))


class _Turn(AgentMiddleware):  # type: ignore[misc]
    """A member's turn: lets it hand over to one of the others, if there are any, and ends when it has."""

    def __init__(self, others: Sequence[Member]) -> None:
        super().__init__()
        self.to = ""
        """To whom the member has handed over; empty: to nobody."""
        self._others = [member.name for member in others]
        about = "Hands the conversation over to somebody else, who sees all of it and goes on:"
        self.tools = [_choice("hand_over", about, others, self._hand_over)] if others else []

    @hook_config(can_jump_to=["end"])  # type: ignore[untyped-decorator]
    async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """End instead of speaking on; by now all that was called together with the hand-over has answered."""
        return {"jump_to": "end"} if self.to else None

    async def _hand_over(self, call: Mapping[str, Any]) -> ToolMessage:
        name = call["args"].get("member")
        if name not in self._others:
            return _reply(call, _nobody(self._others), is_error=True)
        if self.to:
            return _reply(call, f"It is handed over to {self.to} already.", is_error=True)
        self.to = str(name)
        return _reply(call, f"{name} goes on.")


class _Members(AgentMiddleware):  # type: ignore[misc]
    """The members that a supervisor may ask, as many times as its team has turns."""

    def __init__(self, team: Team, ask: Callable[[Member, str], Awaitable[str]]) -> None:
        super().__init__()
        self._members = {member.name: member for member in team.members}
        self._turns_left, self._ask = team.max_turns, ask
        # Different members work side by side, each on one thing at a time: what it said last is what it calls tools by.
        self._working = {name: asyncio.Lock() for name in self._members}
        about = "Has a member of your team work on a task and returns its answer. The members:"
        task = {
            "type": "string",
            "minLength": 1,
            "description": "What it is to do, with all that it needs to know: it sees nothing of this talk.",
        }
        self.tools = [_choice("assign_task", about, team.members, self._answer, task=task)]

    async def _answer(self, call: Mapping[str, Any]) -> ToolMessage:
        name, text = call["args"].get("member"), call["args"].get("task")
        if not isinstance(name, str) or name not in self._members:
            return _reply(call, _nobody(self._members), is_error=True)
        if not isinstance(text, str) or not text:
            return _reply(call, "The task must be a text.", is_error=True)
        if not self._turns_left:
            return _reply(call, "Nobody may be asked any more. Answer with what you have.", is_error=True)
        self._turns_left -= 1
        async with self._working[name]:
            return _reply(call, await self._ask(self._members[name], text))


def _choice(
    name: str, about: str, members: Sequence[Member], answer: Callable[[Mapping[str, Any]], Any], **more: Any
) -> _Tool:
    """Return a tool that names one of the members; `more` are further properties, which it needs too."""
    known = "".join(f"\n- {member.name}: {member.role}" for member in members)
    properties = {"member": {"type": "string", "enum": [member.name for member in members]}, **more}
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return _Tool(name=name, description=about + known, args_schema=schema, answer=answer)


def _nobody(members: Sequence[str] | Mapping[str, Any]) -> str:
    return f"There is no member of that name here. There are: {', '.join(members)}."


def _reply(call: Mapping[str, Any], text: str, *, is_error: bool = False) -> ToolMessage:
    status = "error" if is_error else "success"
    return ToolMessage(content=text, tool_call_id=call["id"] or "", name=call["name"], status=status)


async def _call(toolbox: Toolbox, call: Mapping[str, Any]) -> ToolMessage:
    answer = await toolbox.call(call["id"] or "", call["name"], call["args"])
    return _reply(call, answer.content, is_error=answer.is_error)
