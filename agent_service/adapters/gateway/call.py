"""One model call of a run: passed on to the endpoint, told as events, counted against the limits.

Owns the order of a model step's events. What the framework receives, it receives after the event that tells of it, so
nothing that an agent does can overtake what its model said.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

from agent_service.adapters.gateway.completion import Completion, Piece, parse
from agent_service.adapters.gateway.sse import SseDecoder
from agent_service.adapters.gateway.upstream import Patience, Upstream
from agent_service.domain.activity import Activity, Step
from agent_service.domain.events import MessageFinished, MessageStarted, StepKind, ThoughtDelta, TokenDelta
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import MeshError

__all__ = ["Forward", "ModelCall"]

Forward = Callable[[bytes], Awaitable[None]]
"""Hands bytes of the stream to the framework."""

_DONE = "[DONE]"
_MAX_DELTA = 64 * 1024  # characters, of at most four bytes: what the contract allows one event
_END = b"data: [DONE]\n\n"


class ModelCall:
    """A call on its way."""

    def __init__(self, upstream: Upstream, activity: Activity, toolbox: Toolbox, request: dict[str, Any]) -> None:
        """`request` is what the framework sent to `/v1/chat/completions`."""
        self._upstream, self._activity, self._toolbox = upstream, activity, toolbox
        # Always streamed, so that there are tokens to tell of whatever the framework wants for itself.
        options = request.get("stream_options")
        options = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        self._body = json.dumps({**request, "stream": True, "stream_options": options}, ensure_ascii=False).encode(
            errors="replace"
        )
        self._completion = Completion(model=str(request.get("model", "")))
        self._speaks = False

    async def run(self, forward: Forward | None) -> dict[str, Any]:
        """Make the call; return the answer as a `chat.completion`, having streamed it through `forward` if given.

        Any failure ends the whole run, and is raised here only to leave: MODEL_FAILED, MODEL_TIMEOUT, LIMIT_REACHED.
        """
        step = await self._activity.begin(StepKind.MODEL, self._completion.model[:200])
        try:
            held_back = await self._converse(step, forward)
            await self._conclude(step)
        except MeshError as error:
            await step.finish(error)
            self._activity.fail(error)
            raise
        await step.finish()
        self._activity.count(self._completion.used(len(self._body)))
        self._toolbox.written(self._completion.tool_calls)
        if forward is not None:
            await forward(held_back)
        return self._completion.as_json()

    async def _converse(self, step: Step, forward: Forward | None) -> bytes:
        """Read the answer; return its last bytes, which the framework gets when the step has ended."""
        patience, decoder, document = Patience(self._upstream.timeouts), SseDecoder(), bytearray()
        answer = self._upstream.complete(self._body, patience, self._activity.remaining)
        async with aclosing(answer) as pieces:
            async for is_stream, piece in pieces:
                if not is_stream:
                    document += piece
                    continue
                for data in decoder.feed(piece):
                    if data == _DONE:
                        return piece
                    await self._take(step, data, patience)
                if forward is not None:
                    await forward(piece)
        if document:
            await self._tell(step, self._completion.add(parse(bytes(document))))
            self._completion.end()
            return b"data: " + json.dumps(self._completion.as_chunk()).encode() + b"\n\n" + _END
        for data in decoder.end():
            if data != _DONE:
                await self._take(step, data, patience)
        return b"\n\n" + _END

    async def _take(self, step: Step, data: str, patience: Patience) -> None:
        piece = self._completion.add(parse(data))
        if piece:
            await self._tell(step, piece)
            patience.token()

    async def _tell(self, step: Step, piece: Piece) -> None:
        for thought in _parts(piece.thought):
            await step.emit(ThoughtDelta(thought))
        if piece.text:
            await self._speak(step)
        for text in _parts(piece.text):
            await step.emit(TokenDelta(text))

    async def _conclude(self, step: Step) -> None:
        completion = self._completion
        completion.end()
        if not self._speaks and not completion.calls_tools:
            await self._speak(step)  # an empty answer is an answer; calls of tools need no words
        await step.emit(completion.used(len(self._body)))
        if self._speaks:
            await step.emit(MessageFinished(completion.text, completion.finish_reason))

    async def _speak(self, step: Step) -> None:
        if not self._speaks:
            self._speaks = True
            await step.emit(MessageStarted())


def _parts(text: str) -> Iterator[str]:
    """Cut what an endpoint sends at once, which may be a whole answer, into pieces that an event may hold."""
    for start in range(0, len(text), _MAX_DELTA):
        yield text[start : start + _MAX_DELTA]
