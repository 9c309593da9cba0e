"""What subscribers were told of a run by its earlier attempts: a later one goes on from there and repeats nothing.

A step whose end was told is recorded in the ledger: the agent replays it, and what it says of it is left out. A step
that was begun and not ended begins anew: what was told of it is declared void, once, before anything else is told.
"""

from dataclasses import dataclass

from orchestrator.domain.model import Run
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.storage import RunStore

__all__ = ["Told", "read_told"]

_PAGE_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """The steps that were told to their end, and those that were not, in the order in which they began."""

    done: frozenset[str] = frozenset()
    begun: tuple[str, ...] = ()


async def read_told(runs: RunStore, codec: EventCodec, run: Run) -> Told:
    """Read the run's events as far as they go; a first attempt has none to read."""
    if run.attempt <= 1:
        return Told()
    steps: dict[str, bool] = {}
    after = run.oldest_sequence - 1
    while page := await runs.events(run.id, after, _PAGE_EVENTS):
        for event in page:
            mark = codec.step_mark(event.body)
            if mark is None:
                continue
            if mark.void:
                steps.pop(mark.step, None)
            else:
                steps[mark.step] = mark.done
        after = page[-1].sequence
    return Told(
        frozenset(step for step, done in steps.items() if done),
        tuple(step for step, done in steps.items() if not done),
    )
