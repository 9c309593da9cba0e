"""Failpoints: what a plan may say, and that every name stands in the code."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshkit import failpoints
from meshkit.errors import DeadlineExceeded, Unavailable
from meshkit.failpoints import NAMES, arm, failpoint

ROOT = Path(__file__).parents[3]
CALL = re.compile(r'failpoint\("([a-z_.]+)"\)')


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


async def test_without_a_plan_nothing_happens() -> None:
    for name in NAMES:
        await failpoint(name)


async def test_only_the_named_place_fails() -> None:
    arm("orch.finish.before_commit:raise;agent.tool.before_call:exec_then_timeout")
    with pytest.raises(Unavailable):
        await failpoint("orch.finish.before_commit")
    with pytest.raises(DeadlineExceeded):
        await failpoint("agent.tool.before_call")
    await failpoint("lease.renew")


async def test_the_nth_passing_alone_fails() -> None:
    arm("lease.renew:raise#2")
    await failpoint("lease.renew")
    with pytest.raises(Unavailable):
        await failpoint("lease.renew")
    await failpoint("lease.renew")


async def passings(seed: int) -> list[bool]:
    arm("lease.renew:raise@0.5", seed)
    failed = []
    for _ in range(64):
        try:
            await failpoint("lease.renew")
        except Unavailable:
            failed.append(True)
        else:
            failed.append(False)
    return failed


async def test_chance_follows_the_seed() -> None:
    assert await passings(1) == await passings(1) != await passings(2)
    assert 10 < sum(await passings(1)) < 54


@pytest.mark.parametrize("spec", ["nowhere:kill", "lease.renew", "lease.renew:explode", "lease.renew:kill@2", ":kill"])
def test_a_plan_that_cannot_be_read_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="names no failpoint"):
        arm(spec)


def test_kill_ends_the_process_without_a_word() -> None:
    code = (
        "import asyncio; from meshkit.failpoints import arm, failpoint; "
        "arm('lease.renew:kill'); asyncio.run(failpoint('lease.renew'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, b"", b"")


def test_every_name_is_passed_by_the_code_and_no_other() -> None:
    packages = ("meshkit", "orchestrator", "memory_service", "agent_service")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    placed = [name for path in sources if path.name != "failpoints.py" for name in CALL.findall(path.read_text())]
    assert set(placed) == set(NAMES)
