"""Which models a step asks: the agent's own, then its fallbacks, each behind its circuit breaker.

Owns the order and the number of attempts: three for a step, over all its models. A model that has told something is
left for the next one only if its reader can take back what it told.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agent_service.adapters.gateway.upstream import MAX_ATTEMPTS, Patience, Upstream
from agent_service.domain.breaker import Breakers
from meshkit.errors import MeshError

__all__ = ["ModelRoute"]

Restart = Callable[[], Awaitable[bool]]
"""Takes back what an attempt told; False when that cannot be: then no other attempt may follow."""


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """The way of one run's model calls."""

    upstream: Upstream
    breakers: Breakers
    tenant: str
    fallbacks: Sequence[str]

    async def complete(
        self,
        model: str,
        body_of: Callable[[str], bytes],
        patience: Patience,
        remaining: Callable[[], float],
        restart: Restart,
    ) -> AsyncGenerator[tuple[bool, bytes], None]:
        """Yield the bytes of the first model that answers, as `Upstream.complete` does.

        Raises the last model's error, or CIRCUIT_OPEN when it was not even asked.
        """
        models = [model, *(each for each in self.fallbacks if each != model)]
        left = MAX_ATTEMPTS
        for place, each in enumerate(models):
            last = place == len(models) - 1
            attempts = left if last else max(1, left - (len(models) - 1 - place))
            told = False
            key = (self.tenant, each)
            try:
                self.breakers.enter(key)
                left -= attempts
                answer = self.upstream.complete(body_of(each), patience, remaining, restart, attempts=attempts)
                async with aclosing(answer) as pieces:
                    async for piece in pieces:
                        told = True
                        yield piece
            except MeshError as error:
                self._note(key, error)
                if last or left <= 0 or (told and not await restart()):
                    raise
                patience.restart()
            except BaseException:
                self.breakers.left(key)
                raise
            else:
                self.breakers.succeeded(key)
                return

    def _note(self, key: tuple[str, str], error: MeshError) -> None:
        """Count what says that the model is ill; a refusal says that the request is, and 429 that we ask too often."""
        status = int(error.metadata.get("http_status", "0"))
        if error.reason == "MODEL_TIMEOUT" or (error.reason == "MODEL_FAILED" and (not status or status >= 500)):
            self.breakers.failed(key)
        elif error.reason != "CIRCUIT_OPEN":
            self.breakers.left(key)
