"""What the model says, put together from its pieces (`chat.completion.chunk`) or taken whole (`chat.completion`).

Owns the reading of the OpenAI protocol's answers: nothing that does not have their form gets past here.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent_service.adapters.gateway.failures import model_failed
from agent_service.domain.activity import MAX_TEXT_BYTES
from agent_service.domain.events import FinishReason, Usage
from agent_service.domain.text import clean
from agent_service.domain.toolbox import WrittenCall

__all__ = ["Completion", "Piece", "parse"]

_MAX_TOOL_CALLS = 64
_THOUGHT_FIELDS = ("reasoning_content", "reasoning")  # the names that endpoints give it


@dataclass(frozen=True, slots=True)
class Piece:
    """What a chunk adds to the text and to the reasoning."""

    text: str
    thought: str
    has_tool_call: bool

    def __bool__(self) -> bool:
        """True when the model has produced something: a chunk may hold a role or a usage only."""
        return bool(self.text or self.thought or self.has_tool_call)


@dataclass(slots=True)
class _ToolCall:
    id: str
    name: str
    arguments: str = ""


@dataclass(slots=True)
class Completion:
    """An answer in the making."""

    model: str
    id: str = ""
    created: int = 0
    text: str = ""
    thought: str = ""
    finish: str | None = None
    usage: dict[str, Any] | None = None
    _parts: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _calls: list[_ToolCall] = field(default_factory=list)
    _at: dict[int, _ToolCall] = field(default_factory=dict)
    _size: int = 0
    _half: str = ""

    def add(self, data: dict[str, Any]) -> Piece:
        """Take in a chunk, or a whole completion. Raises MODEL_FAILED if it is neither."""
        if data.get("error"):
            raise model_failed("the model endpoint reported an error in its answer")
        self.model = _text(data, "model") or self.model
        self.id = _text(data, "id") or self.id
        self.usage = _object(data, "usage") or self.usage
        text = thought = ""
        called = False
        for choice in _objects(data, "choices"):
            if choice.get("index", 0) != 0:
                continue  # nobody asks for alternatives
            delta = _object(choice, "delta") or _object(choice, "message") or {}
            text += self._whole(_text(delta, "content"))
            thought += clean(next((found for name in _THOUGHT_FIELDS if (found := _text(delta, name))), ""))
            for call in _objects(delta, "tool_calls"):
                self._add_call(call)
                called = True
            self.finish = _text(choice, "finish_reason") or self.finish
        self._grow(text, thought)
        return Piece(text, thought, called)

    def end(self) -> None:
        """Check that the answer is complete. Raises MODEL_FAILED if it was cut."""
        if self.finish is None:
            raise model_failed("the model endpoint's answer ended in the middle")
        self.text, self.thought = "".join(self._parts), "".join(self._thoughts)

    @property
    def finish_reason(self) -> FinishReason:
        """Why the message ended."""
        try:
            return FinishReason(self.finish or "")
        except ValueError:
            return FinishReason.UNKNOWN

    @property
    def tool_calls(self) -> tuple[WrittenCall, ...]:
        """The calls of tools, in order."""
        return tuple(WrittenCall(call.id, call.name, call.arguments) for call in self._calls)

    @property
    def calls_tools(self) -> bool:
        """True when the model asks for tools."""
        return bool(self._calls)

    def used(self, request_bytes: int) -> Usage:
        """Return what the call used. An endpoint that does not tell is reckoned at four bytes a token."""
        usage = self.usage or {}
        read, wrote = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not _is_count(read) or not _is_count(wrote):
            read, wrote = -(-request_bytes // 4), -(-self._size // 4)
        return Usage(self.model, int(read or 0), int(wrote or 0), model_calls=1)

    def as_record(self) -> dict[str, Any]:
        """Return the answer as a `chat.completion`, just as the model gave it: what the ledger keeps."""
        return self._as_completion(lambda arguments: arguments)

    def as_json(self) -> dict[str, Any]:
        """Return the answer as a `chat.completion`, for a framework that did not ask for a stream.

        Arguments that are no JSON object, or hold half characters, become `{}`: frameworks fail on them before a tool
        could tell the model, and the toolbox has their true text.
        """
        return self._as_completion(_sound)

    def _as_completion(self, arguments: Callable[[str], str]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": arguments(call.arguments)},
                }
                for call in self._calls
            ]
        else:
            message["content"] = self.text
        if self.thought:
            message["reasoning_content"] = self.thought
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish, "logprobs": None}],
            "usage": self.usage,
        }

    def as_chunk(self) -> dict[str, Any]:
        """Return the answer as one `chat.completion.chunk`, for a stream from an endpoint that does not stream."""
        whole = self.as_json()
        choice = whole["choices"][0]
        delta = choice["message"]
        for index, call in enumerate(delta.get("tool_calls", ())):
            call["index"] = index
        choices = [{"index": 0, "delta": delta, "finish_reason": choice["finish_reason"]}]
        return {**whole, "object": "chat.completion.chunk", "choices": choices}

    def _add_call(self, fragment: dict[str, Any]) -> None:
        function = _object(fragment, "function") or {}
        index, call_id, name = fragment.get("index"), _text(fragment, "id"), _text(function, "name")
        key = index if isinstance(index, int) else len(self._calls) if call_id else len(self._calls) - 1
        call = self._at.get(key)
        # Some endpoints give every call of a message the index 0, and none an index: then a new id is a new call.
        if call is None or (call_id and call.id and call_id != call.id):
            if len(self._calls) >= _MAX_TOOL_CALLS:
                raise model_failed(f"the model asks for more than {_MAX_TOOL_CALLS} tools at once")
            call = _ToolCall(clean(call_id), clean(name))
            self._calls.append(call)
        elif name and not call.name:
            call.name = clean(name)
        self._at[key] = call
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)  # not the protocol, but endpoints do it
        if not isinstance(arguments, str | None):
            raise _malformed("arguments")
        call.arguments += clean(arguments or "")
        self._grow_size(len(arguments or ""))

    def _whole(self, text: str) -> str:
        """Hold back the first half of a surrogate pair: an endpoint that escapes its JSON may split one in two."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return clean(text)

    def _grow(self, text: str, thought: str) -> None:
        if text:
            self._parts.append(text)
        if thought:
            self._thoughts.append(thought)
        self._grow_size(len(text.encode()) + len(thought.encode()))

    def _grow_size(self, size: int) -> None:
        self._size += size
        if self._size > MAX_TEXT_BYTES:
            raise model_failed(f"the model's answer is longer than {MAX_TEXT_BYTES} bytes")


def parse(data: str | bytes) -> dict[str, Any]:
    """Return the JSON object. Raises MODEL_FAILED for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise model_failed("the model endpoint sent something that is no JSON") from None
    if not isinstance(value, dict):
        raise _malformed("answer")
    return value


def _sound(arguments: str) -> str:
    try:
        value = json.loads(arguments)
        json.dumps(value, ensure_ascii=False).encode()  # as frameworks send it back: no half characters
        return arguments if isinstance(value, dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _object(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = data.get(name)
    if not isinstance(value, dict | None):
        raise _malformed(name)
    return value


def _objects(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _malformed(name)
    return value


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str | None):
        raise _malformed(name)
    return value or ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _malformed(name: str) -> Exception:
    return model_failed(f"the model endpoint sent a malformed {name}")
