"""What many runs and many streams at once cost, and how fast they are.

Owns these measurements: the cost of a run beside its tokens, throughput as fast as it goes, and a steady state in which
streams begin one after the other and only the time in which all of them speak is looked at.
"""

import asyncio
import time
from collections.abc import Sequence

from bench.answers import Answer, Door
from bench.processes import CpuUse, measured_cpu
from bench.report import Table, percentile, spread
from bench.setting import Setting

__all__ = ["cost_of_runs", "many_streams"]

_ABREAST = 10  # runs at a time when their cost is measured
_STARTS = 8.0  # streams begun in a second, before the steady state
_SETTLING = 2.0  # seconds after the last start


async def cost_of_runs(setting: Setting, runs: int) -> Table:
    """Measure what a run costs beside its tokens: processor time of runs with one token, until all is stored."""
    table = Table(
        f"Processor time of a run with one token, {runs} runs, {_ABREAST} at a time",
        ("milliseconds a run",),
        "Until the parts are quiet again: the index entries of the stored turns are in it.",
    )
    await _together(setting.envoy, _ABREAST, tokens=1)
    await setting.quiet(*setting.parts)
    with measured_cpu(setting.parts) as use:
        began = time.monotonic()
        for _ in range(runs // _ABREAST):
            await _together(setting.envoy, _ABREAST, tokens=1)
        took = time.monotonic() - began
        await setting.quiet(*setting.parts)
    for part, seconds in use.seconds.items():
        table.add(part, (1000 * seconds / runs,))
    table.add("all parts", (1000 * sum(use.seconds.values()) / runs,))
    table.note += f" {runs / took:.0f} runs a second."
    return table


async def many_streams(setting: Setting, streams: int, tokens: int, pace: float, seconds: float) -> list[Table]:
    """Measure throughput, then latency and processor time while every stream speaks `pace` tokens a second."""
    speed = Table(
        "Throughput, as fast as it goes",
        ("tokens/s", "first token p50 ms", "first token p95 ms"),
        "Tokens over the time from the first call to the last token, so the start of every run is in it.",
    )
    steady = Table(
        f"Steady state: {streams} streams, {pace:g} tokens/s asked of each, for {seconds:g} s",
        ("tokens/s", "token p50 ms", "token p95 ms", "token p99 ms"),
        f"Streams begin at {_STARTS:g} a second; only the time in which all of them speak counts.",
    )
    uses: dict[str, tuple[CpuUse, int]] = {}
    for door in (setting.model, setting.envoy):
        for count, each in ((1, 10 * tokens), (streams, tokens)):
            await _together(door, min(count, _ABREAST), tokens=5)
            await setting.quiet("memory", "orchestrator")
            name = f"{door.name}, {count} stream{'s' if count > 1 else ''}, as fast as it goes"
            with measured_cpu(setting.parts) as use:
                answers = await _together(door, count, each)
            first = [answer.first_token for answer in answers]
            speed.add(name, (_rate(answers), 1000 * percentile(first, 0.5), 1000 * percentile(first, 0.95)))
            uses[name] = use, count * each
        await setting.quiet("memory", "orchestrator")
        use, delays = await _steadily(setting, door, streams, pace, seconds)
        steady.add(door.name, (len(delays) / use.wall, *spread(delays, 0.5, 0.95, 0.99)))
        uses[f"{door.name}, steady state"] = use, len(delays)
    return [speed, steady, _processor_time(setting, uses)]


async def _together(door: Door, streams: int, tokens: int) -> list[Answer]:
    asked = (door.ask(f"stream {number} at {time.monotonic_ns()}", tokens, gap=0) for number in range(streams))
    return await asyncio.gather(*asked)


async def _steadily(
    setting: Setting, door: Door, streams: int, pace: float, seconds: float
) -> tuple[CpuUse, list[float]]:
    """Return what the steady state used, and how long each token that arrived in it was under way."""
    tokens = round(pace * (streams / _STARTS + _SETTLING + seconds))
    begun: list[asyncio.Task[Answer]] = []
    for number in range(streams):
        topic = f"steady stream {number} at {time.monotonic_ns()}"
        begun.append(asyncio.create_task(door.ask(topic, tokens, gap=1 / pace)))
        await asyncio.sleep(1 / _STARTS)
    await asyncio.sleep(_SETTLING)
    first = time.monotonic_ns()
    with measured_cpu(setting.parts) as use:
        await asyncio.sleep(seconds)
    last = time.monotonic_ns()
    answers = await asyncio.gather(*begun)
    pairs = (pair for answer in answers for pair in zip(answer.delays, answer.arrived, strict=True))
    return use, [delay for delay, arrived in pairs if first <= arrived < last]


def _processor_time(setting: Setting, uses: dict[str, tuple[CpuUse, int]]) -> Table:
    table = Table(
        "Processor time, microseconds a token, and how many of the cores were busy with it",
        (*setting.parts, "cores busy"),
        "As fast as it goes: from the first call to the last run's end, so the cost of runs is in it.",
    )
    for name, (use, tokens) in uses.items():
        busy = sum(use.seconds.values()) / use.wall
        table.add(name, (*(1e6 * use.seconds[part] / tokens for part in setting.parts), busy))
    return table


def _rate(answers: Sequence[Answer]) -> float:
    began = min(answer.began for answer in answers)
    ended = max(answer.arrived[-1] for answer in answers)
    return sum(len(answer.arrived) for answer in answers) / ((ended - began) / 1e9)
