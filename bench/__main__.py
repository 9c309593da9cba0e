"""`python -m bench`: measures a whole mesh against its own model server, in one run, and prints the tables.

It starts what it needs on loopback, asks for a bounded number of calls, and leaves nothing behind.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.ledger import ledger
from bench.recall import recall
from bench.report import Table, listed, load_average, machine
from bench.runtimes import runtimes
from bench.setting import ROOT, Setting, prepared
from bench.streams import cost_of_runs, many_streams
from bench.tokens import first_token, steady_stream


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    calls: int
    steady_tokens: int
    streams: int
    stream_tokens: int
    steady_seconds: float
    histories: tuple[int, ...]
    ledger_steps: int
    ledger_tools: int
    runtime_calls: int
    longest: float
    """Seconds after which the measurements are given up."""


FULL = Plan(
    calls=100,
    steady_tokens=400,
    streams=100,
    stream_tokens=300,
    steady_seconds=10,
    histories=(100, 1_000, 10_000),
    ledger_steps=300,
    ledger_tools=50,
    runtime_calls=50,
    longest=1800,
)
QUICK = Plan(
    calls=10,
    steady_tokens=40,
    streams=20,
    stream_tokens=30,
    steady_seconds=3,
    histories=(20, 100),
    ledger_steps=20,
    ledger_tools=6,
    runtime_calls=3,
    longest=180,
)

_GAP = 0.02  # seconds: a fast model
_PACE = 40.0  # tokens a second and stream


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="mesh bench", description="Measure a mesh on this machine.")
    parser.add_argument("--quick", action="store_true", help="a minute instead of several; the numbers say little")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to a file")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    document = asyncio.run(_report(plan))
    if options.json:
        options.json.write_text(json.dumps(document, indent=2))


async def _report(plan: Plan) -> dict[str, object]:
    facts = machine(ROOT)
    print(listed(facts), end="\n\n", flush=True)
    print("starting a mesh", file=sys.stderr, flush=True)
    tables = []
    async with prepared() as setting, asyncio.timeout(plan.longest):
        async for table in _measured(setting, plan):
            print(table.markdown(), end="\n\n", flush=True)
            tables.append(table.as_json())
    async with asyncio.timeout(plan.longest):
        async for table in _wide(plan):
            print(table.markdown(), end="\n\n", flush=True)
            tables.append(table.as_json())
    facts["load average after"] = load_average()
    print(f"load average after: {facts['load average after']}")
    return {"machine": facts, "tables": tables}


async def _measured(setting: Setting, plan: Plan) -> AsyncIterator[Table]:
    for table in await first_token(setting, plan.calls):
        yield table
    yield await steady_stream(setting, plan.steady_tokens, _GAP)
    yield await cost_of_runs(setting, plan.calls)
    for table in await many_streams(setting, plan.streams, plan.stream_tokens, _PACE, plan.steady_seconds):
        yield table
    async for table in recall(setting, plan.histories, plan.calls):
        yield table
    for table in await ledger(setting, plan.ledger_steps, plan.ledger_tools):  # the last: it kills processes
        yield table


async def _wide(plan: Plan) -> AsyncIterator[Table]:
    """Measure a mesh of all runtimes; the others have only the one that they use."""
    async with prepared("all") as setting:
        yield await runtimes(setting, plan.runtime_calls, plan.stream_tokens)


if __name__ == "__main__":
    main()
