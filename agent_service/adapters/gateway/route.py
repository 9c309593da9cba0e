"""Which models a step asks, and how often: the agent's own, then its fallbacks, each behind its circuit breaker.

Owns the order, the pauses and the number of attempts: three for a step, over all its models. What was told of an answer
that failed must be taken back before anything is asked again; where that cannot be, the failure stands.

    no connection, 5xx, 429, a broken answer   asked again, then the next model
    no token in time                           the next model: the same one would take the patience again
    another refusal (4xx), an open circuit     the next model
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from agent_service.adapters.gateway.failures import status_of
from agent_service.adapters.gateway.upstream import Patience, Upstream
from agent_service.domain.breaker import Breakers, Circuit
from meshkit.errors import MeshError

__all__ = ["ModelRoute"]

MAX_ATTEMPTS = 3
"""How often a step asks in all; no other layer asks again. A model keeps one for each of the models after it."""

_BACKOFF_SECONDS = (0.25, 1.0)  # before a model's second and third attempt, each ± half
_MAX_RETRY_AFTER_SECONDS = 30.0  # who asks for more is told at once, so that the caller may decide

_Answer = TypeVar("_Answer")
Read = Callable[[AsyncIterator[tuple[bool, bytes]]], Awaitable[_Answer]]
"""Reads the pieces of one answer, each with whether they are events (or one JSON document)."""
Restart = Callable[[], Awaitable[bool]]
"""Takes back what was told of an answer; False when that cannot be."""


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """The way of one run's model calls."""

    upstream: Upstream
    breakers: Breakers
    tenant: str
    fallbacks: Sequence[str]
    trace: Mapping[str, str] = field(default_factory=dict)
    """Headers that name the run's trace."""
    jitter: Callable[[], float] = random.random
    """Gives 0 to 1."""

    async def ask(
        self,
        model: str,
        body_of: Callable[[str], bytes],
        patience: Patience,
        remaining: Callable[[], float],
        read: Read[_Answer],
        restart: Restart,
    ) -> _Answer:
        """Return what `read` makes of the first answer that is one.

        Raises the last failure: MODEL_FAILED, MODEL_TIMEOUT, or CIRCUIT_OPEN when the model was not even asked; any
        other error of `read` at once. `remaining` tells how many seconds the run may still take.
        """
        waiting = [model, *(each for each in self.fallbacks if each != model)]
        left, tries = MAX_ATTEMPTS, 0
        while True:
            try:
                return await self._attempt(waiting[0], body_of, patience, read)
            except MeshError as error:
                if error.reason not in {"MODEL_FAILED", "MODEL_TIMEOUT", "CIRCUIT_OPEN"}:
                    raise
                left, tries = left - (error.reason != "CIRCUIT_OPEN"), tries + 1
                pause = self._pause(error, tries, remaining()) if left >= len(waiting) else None
                if pause is None:
                    del waiting[0]
                    pause, tries = 0.0, 0
                if not waiting or not left or not await restart():
                    raise
            await asyncio.sleep(pause)
            patience.restart()

    async def _attempt(
        self, model: str, body_of: Callable[[str], bytes], patience: Patience, read: Read[_Answer]
    ) -> _Answer:
        with self.breakers.watch(Circuit(self.tenant, "model", model), _is_ill):
            async with aclosing(self.upstream.ask(body_of(model), patience, self.trace)) as pieces:
                return await read(pieces)

    def _pause(self, error: MeshError, tries: int, remaining: float) -> float | None:
        """Return the seconds to wait before the same model is asked again; None if that makes no sense."""
        if not _may_pass(error):
            return None
        backoff = _BACKOFF_SECONDS[tries - 1] * (0.5 + self.jitter())
        pause = backoff if error.retry_after is None else error.retry_after
        return pause if pause < min(remaining, _MAX_RETRY_AFTER_SECONDS) else None


def _may_pass(error: MeshError) -> bool:
    """Return whether the same model may do better the next time."""
    return error.reason == "MODEL_FAILED" and (_is_ill(error) or status_of(error) == httpx.codes.TOO_MANY_REQUESTS)


def _is_ill(error: MeshError) -> bool:
    """Return whether it says that the model is ill. A refusal says that the request is, and 429 that we ask a lot."""
    status = status_of(error)
    return error.reason == "MODEL_TIMEOUT" or (
        error.reason == "MODEL_FAILED" and (status is None or status >= httpx.codes.INTERNAL_SERVER_ERROR)
    )
