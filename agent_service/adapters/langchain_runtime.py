"""LangChain agents: `create_agent` over the model gateway. The only file that imports LangChain.

Owns the translation of a task into LangChain's words. It emits no events and contains LangChain's side effects: its
tracing is off whatever the environment says, its HTTP client uses no proxy, it retries nothing.
"""

import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import httpx2  # type: ignore[import-not-found] # the HTTP library of LangChain's OpenAI client, in its environment only
from langchain.agents import create_agent  # type: ignore[import-not-found]
from langchain.agents.middleware import AgentMiddleware  # type: ignore[import-not-found]
from langchain.messages import (  # type: ignore[import-not-found]
    AIMessage,
    HumanMessage,
    ToolMessage,
)
from langchain.tools import BaseTool  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langsmith import tracing_context  # type: ignore[import-not-found]

from agent_service.domain.recall import render
from agent_service.domain.runtime import Capability, RuntimeDescription, Speakers
from agent_service.domain.task import Task
from agent_service.domain.tool import Tool
from agent_service.domain.toolbox import Toolbox

__all__ = ["LangChainRuntime"]

NAME = "langchain"
_CAPABILITIES = (Capability.STREAMS_TOKENS, Capability.CANCELS_MODEL_CALL, Capability.CALLS_TOOLS, Capability.REPLAYS)


class LangChainRuntime:
    """Runs agents with LangChain."""

    def __init__(self) -> None:
        self._description = RuntimeDescription(NAME, version("langchain"), _CAPABILITIES)
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
        """Run the agent and return its answer."""
        model, toolbox = speakers.of().model, speakers.of().toolbox
        chat = ChatOpenAI(
            model=model.model,
            base_url=model.url,
            api_key=model.key,
            temperature=task.temperature,
            max_retries=0,
            # The gateway has told every token already; here a stream would cost CPU for nobody.
            disable_streaming=True,
            http_async_client=self._http,
            http_socket_options=(),
            organization="",
        )
        agent = create_agent(
            chat,
            [_native(tool, toolbox) for tool in toolbox.offered],
            system_prompt=task.instructions or None,
            middleware=[_Mistakes(toolbox)],
            name=task.agent,
        )
        # One model call and one round of tools are a step each; the toolbox and the gateway do the limiting.
        config = {"recursion_limit": 4 * task.limits.max_model_calls + 16}
        with tracing_context(enabled=False):
            state = await agent.ainvoke({"messages": _messages(task)}, config)
        return str(state["messages"][-1].text)


def _messages(task: Task) -> list[Any]:
    messages: list[Any] = [
        AIMessage(content=turn.text) if turn.by_agent else HumanMessage(content=turn.text) for turn in task.history
    ]
    notes = render(task.recalled)
    if notes:
        messages.append(HumanMessage(content=notes))  # never the system's role: others wrote it
    messages.append(HumanMessage(content=task.input))
    return messages


def _native(tool: Tool, toolbox: Toolbox) -> BaseTool:
    return _Tool(name=tool.name, description=tool.description, args_schema=dict(tool.input_schema), toolbox=toolbox)


class _Tool(BaseTool):  # type: ignore[misc]
    """A tool of the run in LangChain's shape."""

    toolbox: Any

    def _run(self, *args: Any, **kwargs: Any) -> str:
        raise NotImplementedError

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> ToolMessage:  # noqa: A002 - LangChain's name
        """Call the tool, without LangChain's own reading of the arguments: ours tells the model what is wrong."""
        return await _call(self.toolbox, input)


class _Mistakes(AgentMiddleware):  # type: ignore[misc]
    """Sends calls of tools that do not exist through the toolbox too: LangChain would answer them unseen."""

    def __init__(self, toolbox: Toolbox) -> None:
        super().__init__()
        self._toolbox = toolbox

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Call the tool that there is, or say that there is none."""
        return await (handler(request) if request.tool is not None else _call(self._toolbox, request.tool_call))


async def _call(toolbox: Toolbox, call: Any) -> ToolMessage:
    answer = await toolbox.call(call["id"] or "", call["name"], call["args"])
    status = "error" if answer.is_error else "success"
    return ToolMessage(content=answer.content, tool_call_id=call["id"] or "", name=call["name"], status=status)
