"""What an agent is given besides its input: what was said before in the session, what memory recalls, whom it may ask.

It is gathered once, at the run's first attempt, and recorded: every later attempt and every fork gets the very same.
Else the agent would ask its model something else than before, and nothing of what it did could be replayed.
"""

from collections.abc import Awaitable, Callable, Sequence

from meshkit.errors import MeshError
from orchestrator.domain.model import Agent, Message, Role, Run
from orchestrator.domain.ports import EventCodec, Memory, Pen, Recalled, RunContexts
from orchestrator.domain.specs import MemoryPolicy
from orchestrator.domain.storage import RunStore

__all__ = ["Briefing"]

_HISTORY_BYTES = 64 * 1024
_HISTORY_RUNS = 100  # two messages each: the most that an agent takes
_ALL_LAYERS = (1, 2, 3, 4)  # recent, semantic, facts, documents: nothing answered


class Briefing:
    """Gathers and records it."""

    def __init__(
        self,
        runs: RunStore,
        contexts: RunContexts,
        memory: Memory,
        codec: EventCodec,
        *,
        find: Callable[[str, str], Awaitable[Agent | None]],
        warn: Callable[[str, str, MeshError], None],
    ) -> None:
        """`find(tenant, name)` returns an agent that may be asked; `warn(action, run, error)` logs what is survived."""
        self._runs, self._contexts, self._memory, self._codec = runs, contexts, memory, codec
        self._find, self._warn = find, warn

    async def of(self, run: Run, pen: Pen) -> bytes:
        """Return the run's context, made by `EventCodec.context`; what memory recalled is told when it is gathered."""
        begun_before = run.attempt > 1 or run.forked_from  # a first attempt need not look: people wait for it
        if begun_before and (recorded := await self._contexts.load(run.id)) is not None:
            return recorded
        history, known = await self._history(run)
        recalled = await self._recall(run, known)
        peers = [await self._find(run.tenant, name) for name in run.spec.agents]
        there = [peer for peer in peers if peer is not None]
        context = self._codec.context(history, recalled.items if recalled else (), there)
        await self._contexts.save(run.id, context)
        if recalled:
            await pen.write(self._codec.memory_recalled(recalled, run.trace_id))
        return context

    async def _history(self, run: Run) -> tuple[Sequence[Message], frozenset[str]]:
        """Return what was said before in the session, the newest that fits, and the runs that it is from.

        An agent that another one asks has not been part of that talk.
        """
        if run.parent:
            return (), frozenset()
        earlier = await self._runs.history(run.session, run.id, _HISTORY_RUNS)
        messages: list[Message] = []
        known: set[str] = set()
        size = 0
        for past in earlier:
            size += len(past.input.encode()) + len(past.output.encode())
            if size > _HISTORY_BYTES:
                break
            answered = past.finish_time or past.create_time
            messages.append(Message(past.id, Role.ASSISTANT, past.output, past.agent, answered))
            messages.append(Message(past.id, Role.USER, past.input, past.agent, past.create_time))
            known.add(past.id)
        return messages[::-1], frozenset(known)

    async def _recall(self, run: Run, known: frozenset[str]) -> Recalled | None:
        """Ask memory, if the agent may; without it the agent answers with less, and the event says so."""
        if run.spec.memory is MemoryPolicy.NONE:
            return None
        try:
            found = await self._memory.recall(run)
        except MeshError as error:
            self._warn("recall_failed", run.id, error)
            found = Recalled(degraded=_ALL_LAYERS)
        return Recalled([item for item in found.items if item.run not in known], found.degraded)
