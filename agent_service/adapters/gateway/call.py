"""One model call of a run: asked of the ledger, passed on to the endpoint, told as events, recorded.

Owns the order of a model step's events. What the framework receives, it receives after the event that tells of it, so
nothing that an agent does can overtake what its model said. An answer that the ledger has is told again from there.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from agent_service.adapters.gateway.completion import Completion, Piece, parse
from agent_service.adapters.gateway.conversation import Conversation
from agent_service.adapters.gateway.route import ModelRoute
from agent_service.adapters.gateway.sse import SseDecoder
from agent_service.adapters.gateway.upstream import Patience
from agent_service.domain.events import MessageFinished, MessageStarted, StepKind, ThoughtDelta, TokenDelta, Usage
from agent_service.domain.gate import Gate, Step
from agent_service.domain.ledger import model_digest
from agent_service.domain.prices import Prices
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import MeshError
from meshkit.failpoints import failpoint

__all__ = ["Forward", "ModelCall"]

Forward = Callable[[bytes], Awaitable[None]]
"""Hands bytes of the stream to the framework."""

_DONE = "[DONE]"
_MAX_DELTA = 64 * 1024  # characters, of at most four bytes: what the contract allows one event
_END = b"data: [DONE]\n\n"


class ModelCall:
    """A call on its way."""

    def __init__(
        self,
        route: ModelRoute,
        gate: Gate,
        speaker: str,
        toolbox: Toolbox,
        conversation: Conversation,
        prices: Prices,
        request: dict[str, Any],
    ) -> None:
        """`request` is what the framework sent to `/v1/chat/completions`."""
        self._route, self._gate, self._speaker = route, gate, speaker
        self._toolbox, self._prices = toolbox, prices
        self._conversation, self._request = conversation, request
        self._model = str(request.get("model", ""))
        self._size = 0
        self._forwarded = False
        self._begin_anew(self._model)

    async def run(self, forward: Forward | None) -> dict[str, Any]:
        """Make the call; return the answer as a `chat.completion`, having streamed it through `forward` if given.

        Any failure ends the whole run, and is raised here only to leave: MODEL_FAILED, MODEL_TIMEOUT, LIMIT_REACHED.
        """
        digest = model_digest(self._request)
        step = await self._gate.begin(StepKind.MODEL, self._model[:200], digest, speaker=self._speaker)
        try:
            self._conversation.join(step.steering, len(self._request["messages"]))
            held_back = await self._carry_out(step, forward)
        finally:
            step.leave()
        self._toolbox.written(self._completion.tool_calls)
        if forward is not None:
            await forward(held_back)
        return self._completion.as_json()

    async def _carry_out(self, step: Step, forward: Forward | None) -> bytes:
        """Get the answer, tell it and record it; return its last bytes, which the framework gets after that."""
        try:
            if isinstance(step.recorded, str):
                held_back = await self._replay(step, step.recorded)
            else:
                held_back = await self._converse(step, forward)
            await self._conclude(step)
        except MeshError as error:
            await step.complete(None)
            await step.finish(error)
            self._gate.activity.fail(error)
            raise
        if step.recorded is None:
            await failpoint("agent.llm.after_answer_before_record")
            used = self._used()
            await step.complete(json.dumps(self._completion.as_record(), ensure_ascii=False), used)
            self._gate.activity.count(used)
        await step.finish()
        return held_back

    async def _replay(self, step: Step, record: str) -> bytes:
        await self._tell(step, self._completion.add(parse(record)))
        self._completion.end()
        return self._whole()

    async def _converse(self, step: Step, forward: Forward | None) -> bytes:
        """Get an answer from whichever model gives one, passing on all but its last bytes."""
        patience = Patience(self._route.upstream.timeouts)

        async def restart() -> bool:
            if self._told and not self._forwarded:
                await step.restart()
            return not self._forwarded

        async def read(pieces: AsyncIterator[tuple[bool, bytes]]) -> bytes:
            held_back = await self._read(step, pieces, patience, forward)
            self._completion.end()
            return held_back if held_back is not None else self._whole()

        remaining = self._gate.activity.remaining
        return await self._route.ask(self._model, self._body, patience, remaining, read, restart)

    async def _read(
        self, step: Step, pieces: AsyncIterator[tuple[bool, bytes]], patience: Patience, forward: Forward | None
    ) -> bytes | None:
        """Read one answer to its end; return its last bytes, or None if it was one document."""
        document = bytearray()
        held = b""  # until something was said: a model that only began to answer may be asked again
        async for is_stream, piece in pieces:
            await failpoint("agent.llm.mid_stream")
            if not is_stream:
                document += piece
                continue
            held += piece if forward is not None else b""
            for data in self._decoder.feed(piece):
                if data == _DONE:
                    return held
                await self._take(step, data, patience)
            if forward is not None and self._told:
                self._forwarded = True
                await forward(held)
                held = b""
        if document:
            await self._tell(step, self._completion.add(parse(bytes(document))))
            return None
        for data in self._decoder.end():
            if data != _DONE:
                await self._take(step, data, patience)
        return held + b"\n\n" + _END

    def _begin_anew(self, model: str) -> None:
        self._asked = model
        self._completion, self._decoder = Completion(model=model), SseDecoder()
        self._speaks = self._told = False

    def _body(self, model: str) -> bytes:
        """Begin an attempt: return what to ask this model."""
        self._begin_anew(model)
        # Always streamed, so that there are tokens to tell of whatever the framework wants for itself.
        options = self._request.get("stream_options")
        options = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        messages = self._conversation.complete(self._request["messages"])
        request = {**self._request, "model": model, "messages": messages, "stream": True, "stream_options": options}
        body = json.dumps(request, ensure_ascii=False).encode(errors="replace")
        self._size = len(body)
        return body

    def _whole(self) -> bytes:
        return b"data: " + json.dumps(self._completion.as_chunk()).encode() + b"\n\n" + _END

    async def _take(self, step: Step, data: str, patience: Patience) -> None:
        piece = self._completion.add(parse(data))
        if piece:
            await self._tell(step, piece)
            patience.token()

    async def _tell(self, step: Step, piece: Piece) -> None:
        self._told = self._told or bool(piece)
        for thought in _parts(piece.thought):
            await step.emit(ThoughtDelta(thought))
        if piece.text:
            await self._speak(step)
        for text in _parts(piece.text):
            await step.emit(TokenDelta(text))

    async def _conclude(self, step: Step) -> None:
        completion = self._completion
        if not self._speaks and not completion.calls_tools:
            await self._speak(step)  # an empty answer is an answer; calls of tools need no words
        if step.recorded is None:
            await step.emit(self._used())
        if self._speaks:
            await step.emit(MessageFinished(completion.text, completion.finish_reason))

    def _used(self) -> Usage:
        used = self._completion.used(self._size)
        cost = self._prices.cost((used.model, self._asked), used.input_tokens, used.output_tokens)
        return replace(used, cost_micros=cost)

    async def _speak(self, step: Step) -> None:
        if not self._speaks:
            self._speaks = True
            await step.emit(MessageStarted())


def _parts(text: str) -> Iterator[str]:
    """Cut what an endpoint sends at once, which may be a whole answer, into pieces that an event may hold."""
    for start in range(0, len(text), _MAX_DELTA):
        yield text[start : start + _MAX_DELTA]
