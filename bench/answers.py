"""One question and its answer, asked of the model itself or through the mesh, seen from the caller's side.

Owns the two ways to ask and the clock that they are measured with. An answer that lacks a token is an error, never a
number: what loses work must not look fast.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_pb2 import RunState
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest, StreamRunRequest

from bench.model_server import MODEL, ask
from meshclient import MeshClient, new_request_id
from meshkit.rpc.streams import open_stream

__all__ = ["Answer", "Door", "MeshDoor", "ModelDoor"]


@dataclass(slots=True)
class Answer:
    """When things happened, in nanoseconds of the monotonic clock."""

    began: int = field(default_factory=time.monotonic_ns)
    arrived: list[int] = field(default_factory=list)
    """When each token arrived."""
    sent: list[int] = field(default_factory=list)
    """When the model sent each token."""
    marks: dict[str, int] = field(default_factory=dict)
    """When the first event of each kind arrived."""

    @property
    def first_token(self) -> float:
        """Seconds from the call to its first token."""
        return (self.arrived[0] - self.began) / 1e9

    @property
    def delays(self) -> list[float]:
        """Seconds that each token was under way."""
        return [(arrived - sent) / 1e9 for sent, arrived in zip(self.sent, self.arrived, strict=True)]

    def take(self, text: str, now: int) -> None:
        """Note the tokens of a piece of text that has arrived."""
        self.arrived += [now] * len(text.split())


class Door(Protocol):
    """A way to the model."""

    name: str

    async def ask(self, topic: str, tokens: int, gap: float) -> Answer:
        """Ask for so many tokens, `gap` seconds apart, and read them to the end. A topic is asked about once."""


class ModelDoor:
    """Straight to the model server: streaming HTTP on a kept connection, as a framework's client does it."""

    def __init__(self, name: str, http: httpx.AsyncClient) -> None:
        self.name, self._http = name, http

    async def completed(self, answer: Answer, prompt: str, tokens: int) -> Answer:
        """Return the answer with the times at which the model sent its tokens, all of which must have arrived."""
        answer.sent = (await self._http.post("times", json={"prompt": prompt})).raise_for_status().json()
        if not len(answer.sent) == len(answer.arrived) == tokens:
            raise RuntimeError(f"{len(answer.arrived)} of {tokens} tokens arrived, {len(answer.sent)} were sent")
        return answer

    async def ask(self, topic: str, tokens: int, gap: float) -> Answer:
        prompt = ask(topic, tokens, gap)
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        answer = Answer()
        async with self._http.stream("POST", "chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    now = time.monotonic_ns()
                    for choice in json.loads(line[6:])["choices"]:
                        answer.take(choice["delta"].get("content", ""), now)
        return await self.completed(answer, prompt, tokens)


class MeshDoor:
    """A run of the default agent: new session, recall, agent, model, and the turn stored in memory."""

    def __init__(self, name: str, client: MeshClient, model: ModelDoor) -> None:
        self.name, self._client, self._model = name, client, model

    async def ask(self, topic: str, tokens: int, gap: float) -> Answer:
        prompt = ask(topic, tokens, gap)
        run = CreateRunRequest(request_id=new_request_id(), input=prompt)
        answer = Answer()
        async with open_stream(self._client.runs.StreamRun(StreamRunRequest(run=run))) as events:
            async for event in events:
                now = time.monotonic_ns()
                answer.marks.setdefault(_kind(event), now)
                if event.HasField("token_delta"):
                    answer.take(event.token_delta.text, now)
                elif event.state_changed.state == RunState.RUN_STATE_FAILED:
                    raise RuntimeError(f"the run failed: {event.state_changed.failure}")
        return await self._model.completed(answer, prompt, tokens)


def _kind(event: RunEvent) -> str:
    if event.HasField("state_changed"):
        return RunState.Name(event.state_changed.state).removeprefix("RUN_STATE_")
    return event.WhichOneof("event") or ""
