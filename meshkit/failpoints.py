"""Failpoints: named places in the code where a test may kill the process, fail, or wait.

    await failpoint("orch.finish.before_commit")

Owns the names and what happens at them. Unless the configuration arms it (`MESH_FAILPOINTS`), a failpoint does nothing.
A plan is `name:action`, several separated by `;`:

    orch.start.before_persist:kill@0.3;agent.llm.mid_stream:delay:200#4

Actions: `kill` ends the process with SIGKILL, `raise` raises Unavailable, `exec_then_timeout` raises DeadlineExceeded
(placed after a commit: done, but the caller does not hear of it), `delay:MILLISECONDS`. `@P` makes it happen with
probability P (0 to 1), `#N` at the N-th passing only.
"""

import asyncio
import os
import random
import re
import signal
from dataclasses import dataclass

from meshkit.errors import DeadlineExceeded, Unavailable

__all__ = ["NAMES", "arm", "check", "disarm", "failpoint"]

NAMES = (
    "agent.event.after_append_before_publish",
    "agent.event.before_append",
    "agent.llm.after_answer_before_record",
    "agent.llm.mid_stream",
    "agent.tool.after_effect_before_record",
    "agent.tool.before_call",
    "approval.after_decision_before_resume",
    "lease.renew",
    "memory.extraction.after_commit",
    "memory.extraction.before_commit",
    "memory.index.after_reset_before_fill",
    "memory.index.after_switch_before_drop",
    "memory.outbox.after_qdrant_before_mark",
    "memory.write.after_pg_before_outbox",
    "migrate.between_steps",
    "orch.dispatch.after_lease",
    "orch.dispatch.before_lease",
    "orch.finish.after_commit_before_ack",
    "orch.finish.before_commit",
    "orch.ledger.after_begin_before_ack",
    "orch.ledger.after_complete_before_ack",
    "orch.start.after_persist_before_ack",
    "orch.start.before_persist",
)
"""Every failpoint there is."""

_PART = re.compile(
    r"(?P<name>[a-z_.]+):(?P<action>kill|raise|exec_then_timeout|delay:(?P<delay>\d{1,6}))"
    r"(?:@(?P<chance>0|1|0?\.\d+))?(?:#(?P<nth>\d{1,6}))?"
)


@dataclass(slots=True)
class _Plan:
    action: str
    delay: float
    chance: float
    nth: int
    passed: int = 0


_plans: dict[str, _Plan] = {}
_random = random.Random(0)  # noqa: S311 - it chooses where a test fails


def arm(spec: str, seed: int = 0) -> None:
    """Set the plan of this process; an empty one does nothing. Raises ValueError for a plan that cannot be read."""
    plans = _read(spec)
    disarm()
    _plans.update(plans)
    _random.seed(seed)


def check(spec: str) -> str:
    """Return the plan if it can be read. Raises ValueError."""
    _read(spec)
    return spec


def _read(spec: str) -> dict[str, _Plan]:
    plans = {}
    for part in filter(None, spec.split(";")):
        found = _PART.fullmatch(part.strip())
        if found is None or found["name"] not in NAMES:
            raise ValueError(f"{part.strip()!r} names no failpoint or no action")
        delay = int(found["delay"] or 0) / 1000
        plans[found["name"]] = _Plan(found["action"], delay, float(found["chance"] or 1), int(found["nth"] or 0))
    return plans


def disarm() -> None:
    """Let every failpoint do nothing."""
    _plans.clear()


async def failpoint(name: str) -> None:
    """Do what the plan says of this place, if it says anything."""
    if _plans and (plan := _plans.get(name)) is not None:
        await _act(name, plan)


async def _act(name: str, plan: _Plan) -> None:
    plan.passed += 1
    if (plan.nth and plan.passed != plan.nth) or _random.random() >= plan.chance:
        return
    if plan.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if plan.action == "raise":
        raise Unavailable(f"failpoint {name}")
    if plan.action == "exec_then_timeout":
        raise DeadlineExceeded(f"failpoint {name}")
    await asyncio.sleep(plan.delay)
