"""The wire format of OpenAI's chat completions: requests in, answers and their pieces out.

Owns the shapes. It decides nothing about an answer (`rules.py`) and sends nothing (`model.py`). Tokens are counted as
words, because the rules know no others.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meshctl.embedded.rules import MODEL_ID, Call, Message, Tool, Words

__all__ = ["Answer", "ChatRequest", "RequestError", "parse"]

_FRAGMENT = 8  # characters of arguments in one piece, so that clients meet arguments cut anywhere


class RequestError(Exception):
    """A request that cannot be answered: an HTTP status, and the code and message of OpenAI's error object."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        kind = "authentication_error" if status == 401 else "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Lenient(BaseModel):
    """Fields that we do not use may hold anything, as with every server of this kind."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Part(_Lenient):
    type: str
    text: str = ""


class _CalledFunction(_Lenient):
    name: str
    arguments: str = "{}"


class _ToolCall(_Lenient):
    id: str
    function: _CalledFunction


class _Message(_Lenient):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class _Function(_Lenient):
    name: str = Field(min_length=1, max_length=128)
    parameters: dict[str, Any] | None = None


class _OfferedTool(_Lenient):
    type: Literal["function"]
    function: _Function


class _NamedFunction(_Lenient):
    name: str


class _NamedTool(_Lenient):
    function: _NamedFunction


class _StreamOptions(_Lenient):
    include_usage: bool = False


class _ResponseFormat(_Lenient):
    type: Literal["text"]


class ChatRequest(_Lenient):
    """The parts of a request that the offline model looks at."""

    model: str
    messages: list[_Message] = Field(min_length=1)
    tools: list[_OfferedTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | _NamedTool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: Literal[1] | None = None
    response_format: _ResponseFormat | None = None

    @property
    def most_words(self) -> int | None:
        """The limit on the answer, in words."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def conversation(self) -> list[Message]:
        """The messages as the rules see them; a tool's result gets the name of the tool that gave it."""
        names = {call.id: call.function.name for message in self.messages for call in message.tool_calls or ()}
        return [Message(one.role, one.text, names.get(one.tool_call_id or "", "")) for one in self.messages]

    @property
    def offered(self) -> list[Tool]:
        """The tools that may be called."""
        if self.tool_choice == "none":
            return []
        return [Tool(tool.function.name, tool.function.parameters or {}) for tool in self.tools or ()]

    @property
    def must_call(self) -> str | None:
        """The tool that has to be called, if the caller says so."""
        if isinstance(self.tool_choice, _NamedTool):
            return self.tool_choice.function.name
        return self.tools[0].function.name if self.tool_choice == "required" and self.tools else None


def parse(body: bytes) -> ChatRequest:
    """Read a request. Raises RequestError: 400 with the first wrong field, 404 for a model that is not this one."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"]) or "body"
        raise RequestError(400, "invalid_value", f"{field}: {first['msg']}", field) from None
    if request.model != MODEL_ID:
        raise RequestError(404, "model_not_found", f"the only model here is {MODEL_ID}", "model")
    if request.must_call and request.must_call not in {tool.name for tool in request.offered}:
        raise RequestError(400, "invalid_value", "tool_choice names a tool that is not in tools", "tool_choice")
    return request


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one request, with what the caller is told about it. `call_id` names the tool call, if it is one."""

    request: ChatRequest
    content: Words | Call
    id: str
    call_id: str
    created: int

    @property
    def pieces(self) -> list[str]:
        """The answer cut for streaming: words, or fragments of the arguments."""
        if isinstance(self.content, Call):
            return [self._arguments[at : at + _FRAGMENT] for at in range(0, len(self._arguments), _FRAGMENT)]
        return re.findall(r"\S+\s*", self.content.text)[: self.request.most_words]

    def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        message: dict[str, Any] = {"role": "assistant", "content": None}
        if isinstance(self.content, Call):
            message["tool_calls"] = [self._call(self._arguments)]
        else:
            message["content"] = "".join(self.pieces)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish_reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self._usage}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Yield the answer as the objects of a stream; the second and following carry one piece each."""
        if isinstance(self.content, Call):
            yield self._chunk({"role": "assistant", "content": None, "tool_calls": [{"index": 0} | self._call("")]})
            for piece in self.pieces:
                yield self._chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        else:
            yield self._chunk({"role": "assistant", "content": ""})
            for piece in self.pieces:
                yield self._chunk({"content": piece})
        yield self._chunk({}, self._finish_reason)
        if self.request.stream_options and self.request.stream_options.include_usage:
            yield self._head("chat.completion.chunk") | {"choices": [], "usage": self._usage}

    @property
    def _arguments(self) -> str:
        return json.dumps(self.content.arguments) if isinstance(self.content, Call) else ""

    @property
    def _finish_reason(self) -> str:
        if isinstance(self.content, Call):
            return "tool_calls"
        return "stop" if len(self.content.text.split()) == len(self.pieces) else "length"

    @property
    def _usage(self) -> dict[str, int]:
        asked = _count(message.text for message in self.request.messages)
        said = _count([self._arguments]) if isinstance(self.content, Call) else len(self.pieces)
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": MODEL_ID}

    def _call(self, arguments: str) -> dict[str, Any]:
        assert isinstance(self.content, Call)
        return {"id": self.call_id, "type": "function", "function": {"name": self.content.tool, "arguments": arguments}}

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._head("chat.completion.chunk") | {"choices": [choice]}


def _count(texts: "Iterator[str] | Sequence[str]") -> int:
    return sum(len(text.split()) for text in texts)
