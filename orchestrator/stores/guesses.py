"""What this process remembers of runs that are at work, so that their next step need not read them first.

Owns guesses only: nothing is decided by them for good. Whoever acts on one writes on the condition that it is true, and
looks if it was not. A run of which steps are replayed is not guessed at: its next step is likely to be there already.
"""

from collections import OrderedDict
from dataclasses import replace

from orchestrator.domain.ledger import Attempt, Look
from orchestrator.domain.model import Run, Usage
from orchestrator.domain.steps import StepKind

__all__ = ["Guesses"]

# As many as one process may have at work, and some more: a forgotten one costs a read.
_MAX_RUNS = 1000


class Guesses:
    """The runs whose last step was a new one."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def keep(self, run: Run, kind: StepKind) -> None:
        """Note a run, as it was when a new step of the kind began."""
        # A pause is for people to end; a cache, and what a tree of runs has used, stand elsewhere.
        if run.paused or run.spec.cache_time is not None or run.root:
            return
        calls = Usage(model_calls=kind is StepKind.MODEL, tool_calls=kind is StepKind.TOOL)
        self._runs[run.id] = replace(run, input="", usage=run.usage + calls)
        if len(self._runs) > _MAX_RUNS:
            self._runs.popitem(last=False)

    def spend(self, attempt: Attempt, usage: Usage) -> None:
        """Note what a step of the attempt has used."""
        run = self._runs.get(attempt.run)
        if run is not None:
            self._runs[attempt.run] = replace(run, usage=run.usage + usage)

    def take(self, attempt: Attempt) -> Look | None:
        """Return what is to be found if nothing has changed and the step is new, and forget it."""
        run = self._runs.pop(attempt.run, None)
        known = run is not None and (run.tenant, run.attempt) == (attempt.tenant, attempt.number)
        return Look(run) if run is not None and known else None
