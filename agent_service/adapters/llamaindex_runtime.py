"""LlamaIndex agents: `AgentWorkflow` over the model gateway. The only file that imports LlamaIndex.

Owns the translation of a task into LlamaIndex's words: an agent alone is a workflow of one, a team one whose members
hand over. It emits no events and contains what LlamaIndex does by itself: its memory cuts no conversation at a number
of tokens that is no model's, its requests add nothing, its HTTP client uses no proxy, it retries nothing.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import httpx
from llama_index.core.agent.workflow import (  # type: ignore[import-not-found]
    AgentWorkflow,
    FunctionAgent,
    ToolCall,
    ToolCallResult,
)
from llama_index.core.llms import ChatMessage, ChatResponse  # type: ignore[import-not-found]
from llama_index.core.memory.types import BaseChatStoreMemory  # type: ignore[import-not-found]
from llama_index.core.tools import BaseTool, ToolMetadata, ToolOutput  # type: ignore[import-not-found]
from llama_index.core.workflow import Context, step  # type: ignore[import-not-found]
from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-not-found]
from openai import AsyncOpenAI, omit  # type: ignore[import-not-found] # the client that LlamaIndex talks through

from agent_service.domain.recall import render
from agent_service.domain.runtime import Capability, ModelEndpoint, RuntimeDescription, Speaker, Speakers
from agent_service.domain.task import Task
from agent_service.domain.team import Member, TeamKind
from agent_service.domain.tool import Tool

__all__ = ["LlamaIndexRuntime"]

NAME = "llamaindex"
_CAPABILITIES = (
    Capability.STREAMS_TOKENS,
    Capability.CANCELS_MODEL_CALL,
    Capability.CALLS_TOOLS,
    Capability.TEAMS,
    Capability.REPLAYS,
)
_TEAM_KINDS = (TeamKind.HANDOFF,)

_HANDOFF = "handoff"  # LlamaIndex's name of the tool by which a member hands over
_TOOLS_AT_ONCE = 16  # calls of one message that run side by side; LlamaIndex's own number is 4


class LlamaIndexRuntime:
    """Runs agents with LlamaIndex."""

    def __init__(self) -> None:
        self._description = RuntimeDescription(NAME, version("llama-index-core"), _CAPABILITIES, _TEAM_KINDS)
        for name in ("httpx", "openai", "llama_index", "workflows"):
            logging.getLogger(name).setLevel(logging.WARNING)  # below, they log every model call with what was said
        # One for all runs: making one takes 50 ms, for certificates that loopback never asks for. The gateway keeps the
        # time of every call, and the number of runs bounds the connections.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(None), trust_env=False, limits=limits)

    async def close(self) -> None:
        """Close the connections to the gateway."""
        await self._http.aclose()

    def describe(self) -> RuntimeDescription:
        """Tell what it is."""
        return self._description

    async def run(self, task: Task, speakers: Speakers) -> str:
        """Run the agent, or its team, and return the answer."""
        team = task.team
        if team is None:
            workflow = _Workflow([self._alone(task, speakers.of())], {task.agent: speakers.of()}, hand_overs=0)
        else:
            spoken = {member.name: speakers.of(member.name) for member in team.members}
            members = [self._member(task, member, spoken[member.name]) for member in team.members]
            workflow = _Workflow(members, spoken, hand_overs=team.max_turns - 1)
        # The gateway does the limiting; a workflow must not end before it.
        steps = 2 * task.limits.max_model_calls + 16
        *before, asked = _messages(task)
        handler = workflow.run(user_msg=asked, chat_history=before, memory=_Memory(), max_iterations=steps)
        ended = asyncio.ensure_future(handler)
        try:
            await asyncio.wait([ended])  # awaited itself, it would be dropped where it stands when we are cancelled
        except asyncio.CancelledError:
            await handler.cancel_run()
            await asyncio.gather(ended, return_exceptions=True)
            raise
        return str(ended.result().response.content or "")

    def _alone(self, task: Task, speaker: Speaker) -> "_Agent":
        return self._agent(task, speaker, name=task.agent, description=task.agent, system_prompt=task.instructions)

    def _member(self, task: Task, member: Member, speaker: Speaker) -> "_Agent":
        told = (
            f"You are {member.name}: {member.role}",
            member.goal and f"Your goal: {member.goal}",
            task.instructions,  # here is no manager whose they would be
            member.instructions,
        )
        return self._agent(
            task,
            speaker,
            name=member.name,
            description=member.role,
            system_prompt="\n\n".join(text for text in told if text),
            can_handoff_to=list(member.hand_offs) or None,
        )

    def _agent(self, task: Task, speaker: Speaker, **words: Any) -> "_Agent":
        tools = [_Tool(tool) for tool in speaker.toolbox.offered]
        # The gateway has told every token already; here a stream would cost CPU for nobody.
        return _Agent(llm=self._model(task, speaker.model), tools=tools, streaming=False, **words)

    def _model(self, task: Task, endpoint: ModelEndpoint) -> "_Model":
        client = AsyncOpenAI(
            base_url=endpoint.url,
            api_key=endpoint.key,
            organization="",
            project="",
            max_retries=0,
            timeout=None,
            http_client=self._http,
        )
        # The model's name is told to the endpoint and not to LlamaIndex, which refuses some names and writes other
        # requests for others; nor is a temperature chosen for an agent that has none.
        temperature = omit if task.temperature is None else task.temperature
        return _Model(
            model=NAME,
            additional_kwargs={"model": endpoint.model, "temperature": temperature},
            is_chat_model=True,
            is_function_calling_model=True,
            max_retries=0,
            api_key=endpoint.key,
            api_base=endpoint.url,
            async_openai_client=client,
        )


def _messages(task: Task) -> list[Any]:
    messages = [ChatMessage(role="assistant" if turn.by_agent else "user", content=turn.text) for turn in task.history]
    notes = render(task.recalled)
    if notes:
        messages.append(ChatMessage(role="user", content=notes))  # never the system's role: others wrote it
    return [*messages, ChatMessage(role="user", content=task.input)]


class _Model(OpenAILike):  # type: ignore[misc]
    """A model that is asked with the tools' schemas as they are."""

    def _prepare_chat_with_tools(
        self, tools: Sequence[BaseTool], chat_history: Sequence[ChatMessage] = (), **kwargs: Any
    ) -> dict[str, Any]:
        """Leave out what LlamaIndex adds: `null` for no tools, and that no schema allows further properties."""
        offered = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        return {"messages": chat_history, **({"tools": offered} if offered else {})}


class _Memory(BaseChatStoreMemory):  # type: ignore[misc]
    """All that was said in the run: what is too much for a model is for the mesh to say."""

    @classmethod
    def from_defaults(cls, **_: Any) -> "_Memory":
        """Return an empty one."""
        return cls()


class _Metadata(ToolMetadata):  # type: ignore[misc]
    """What a model is told of a tool; LlamaIndex would drop parts of its schema."""

    def __init__(self, tool: Tool) -> None:
        super().__init__(tool.description, tool.name)
        self._schema = dict(tool.input_schema)

    def get_parameters_dict(self) -> dict[str, Any]:
        """Return the tool's schema."""
        return self._schema


class _Tool(BaseTool):  # type: ignore[misc]
    """A tool of the run in LlamaIndex's shape: what may be called. The workflow calls it, with the call's id."""

    def __init__(self, tool: Tool) -> None:
        self._metadata = _Metadata(tool)

    @property
    def metadata(self) -> _Metadata:
        """What a model is told of it."""
        return self._metadata

    def __call__(self, *args: Any, **kwargs: Any) -> ToolOutput:
        raise NotImplementedError


class _Agent(FunctionAgent):  # type: ignore[misc]
    """An agent that hears the results of its tools in the order of its calls."""

    async def handle_tool_call_results(self, ctx: Context, results: list[ToolCallResult], memory: Any) -> None:
        """Sort the results, which come as they are ready: begun again, the agent must ask the same once more."""
        said = (await ctx.store.get(self.scratchpad_key))[-1]
        calls = self.llm.get_tool_calls_from_response(ChatResponse(message=said), error_on_no_tool_call=False)
        asked = [_written(call) for call in calls]
        results = sorted(results, key=lambda result: asked.index(_written(result)))
        await super().handle_tool_call_results(ctx, results, memory)


def _written(call: Any) -> tuple[str, str, str]:
    """Return what tells a call from others of its message: some models give all of them one id, or none."""
    return call.tool_id, call.tool_name, json.dumps(call.tool_kwargs)


class _Workflow(AgentWorkflow):  # type: ignore[misc]
    """Agents that hand over to each other a number of times, and call tools through their toolboxes."""

    def __init__(self, agents: Sequence[_Agent], speakers: dict[str, Speaker], hand_overs: int) -> None:
        super().__init__(list(agents), root_agent=agents[0].name)
        self._speakers, self._hand_overs = speakers, hand_overs

    def _get_handoff_tool(self, current_agent: _Agent) -> Any:
        """Offer the tool as long as there are turns left: whoever has the last one must answer."""
        return super()._get_handoff_tool(current_agent) if self._hand_overs else None

    @step(num_workers=_TOOLS_AT_ONCE)  # type: ignore[untyped-decorator]
    async def call_tool(self, ctx: Context, ev: ToolCall) -> ToolCallResult:
        """Call through the toolbox, tools that do not exist too: LlamaIndex would answer them unseen."""
        speaker = await ctx.store.get("current_agent_name")
        if ev.tool_name == _HANDOFF and self._get_handoff_tool(self.agents[speaker]):
            result = await super().call_tool(ctx, ev)
            if await ctx.store.get("next_agent", default=None):
                self._hand_overs -= 1
            return result
        answer = await self._speakers[speaker].toolbox.call(ev.tool_id, ev.tool_name, ev.tool_kwargs)
        output = ToolOutput(
            ev.tool_name, answer.content, raw_input=ev.tool_kwargs, raw_output=None, is_error=answer.is_error
        )
        return ToolCallResult(
            tool_name=ev.tool_name,
            tool_kwargs=ev.tool_kwargs,
            tool_id=ev.tool_id,
            tool_output=output,
            return_direct=False,
        )
