"""How long tokens take: the first one of a call, each one of a stream, and many streams at once.

Owns these measurements. All doors are measured in turns within one run, so that whatever else the machine does meets
all of them alike.
"""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from bench.answers import Answer, Door
from bench.processes import CpuUse, measured_cpu
from bench.report import Table, percentile, spread
from bench.setting import Setting

__all__ = ["cost_of_runs", "first_token", "many_streams", "steady_stream"]

_PAUSE = 0.1  # seconds between calls: what the mesh does after an answer must not fall into the next measurement
_ABREAST = 10  # runs at a time when their cost is measured
_STAGES = {
    "QUEUED": "run stored, first event",
    "RUNNING": "engine began the run",
    "memory_recalled": "memory recalled",
}


async def first_token(setting: Setting, calls: int) -> list[Table]:
    """Measure calls one after the other; each mesh call is a new run in a new session."""
    doors: Sequence[Door] = (setting.model, setting.straight, setting.envoy)
    answers: dict[str, list[Answer]] = {door.name: [] for door in doors}
    for number in range(-5, calls):
        for door in doors:
            answer = await door.ask(f"question {number} about {door.name}", tokens=3, gap=0)
            if number >= 0:  # the ones before warm everything up
                answers[door.name].append(answer)
            await asyncio.sleep(_PAUSE)
    times = {name: [answer.first_token for answer in given] for name, given in answers.items()}
    table = Table(
        f"Time to first token, {calls} calls one after the other",
        ("p50 ms", "p95 ms", "p99 ms", "added p50 ms"),
    )
    base = median(times[setting.model.name])
    for name, values in times.items():
        table.add(name, [*spread(values, 0.5, 0.95, 0.99), 1000 * (median(values) - base)])
    through = times[setting.envoy.name]
    noise = 1000 * abs(median(through[::2]) - median(through[1::2]))
    table.note = f"Noise: the medians of the odd and the even calls through Envoy are {noise:.1f} ms apart."
    return [table, _timeline(answers[setting.envoy.name])]


def _timeline(answers: Sequence[Answer]) -> Table:
    """Show where the time to the first token goes."""
    table = Table(
        "The way to the first token, through Envoy",
        ("since the call, p50 ms", "since the stage before, p50 ms"),
        "All but the model's own stage are seen by the client, which hears of a stage once its event is stored.",
    )
    moments = [
        *((label, [answer.marks[kind] - answer.began for answer in answers]) for kind, label in _STAGES.items()),
        ("model sent its first token", [answer.tokens[0][0] - answer.began for answer in answers]),
        ("first token arrived", [answer.tokens[0][1] - answer.began for answer in answers]),
        ("answer stored, run ended", [answer.marks["SUCCEEDED"] - answer.began for answer in answers]),
    ]
    before = 0.0
    for label, nanoseconds in moments:
        at = median(nanoseconds) / 1e6
        table.add(label, (at, at - before))
        before = at
    return table


async def steady_stream(setting: Setting, tokens: int, gap: float) -> Table:
    """Measure how long each token of one steady stream is under way."""
    table = Table(
        f"Token latency, one stream of {tokens} tokens, {gap * 1000:g} ms apart",
        ("p50 ms", "p95 ms", "p99 ms", "added p50 ms"),
        "From the moment the model server writes a token until the client has it.",
    )
    base = 0.0
    for door in (setting.model, setting.straight, setting.envoy):
        await door.ask("a warm-up", tokens=20, gap=gap)
        delays = (await door.ask("a steady stream", tokens, gap)).delays
        base = base or median(delays)
        table.add(door.name, [*spread(delays, 0.5, 0.95, 0.99), 1000 * (median(delays) - base)])
        await asyncio.sleep(_PAUSE)
    return table


async def cost_of_runs(setting: Setting, runs: int) -> Table:
    """Measure what a run costs beside its tokens: processor time of runs with one token, until all is stored."""
    table = Table(
        f"Processor time of a run with one token, {runs} runs, {_ABREAST} at a time",
        ("milliseconds a run",),
        "Until the parts are quiet again: the index entries of the stored turns are in it.",
    )
    await _together(setting.envoy, _ABREAST, tokens=1, gap=0)
    await setting.quiet(*setting.parts)
    with measured_cpu(setting.parts) as use:
        began = time.monotonic()
        for _ in range(runs // _ABREAST):
            await _together(setting.envoy, _ABREAST, tokens=1, gap=0)
        took = time.monotonic() - began
        await setting.quiet(*setting.parts)
    for part, seconds in use.seconds.items():
        table.add(part, (1000 * seconds / runs,))
    table.add("all parts", (1000 * sum(use.seconds.values()) / runs,))
    table.note += f" {runs / took:.0f} runs a second."
    return table


async def many_streams(setting: Setting, streams: int, tokens: int, pace: float) -> list[Table]:
    """Measure throughput as fast as it goes, and latency and processor time at `pace` tokens a second and stream."""
    speed = Table(
        "Throughput, as fast as it goes",
        ("tokens/s", "first token p50 ms", "first token p95 ms"),
        "Tokens over the time from the first call to the last token, so the start of every run is in it.",
    )
    paced = Table(
        f"{streams} streams at {pace:g} tokens/s each",
        ("tokens/s", "token p50 ms", "token p95 ms", "token p99 ms", "first token p50 ms", "first token p95 ms"),
    )
    uses: dict[str, tuple[CpuUse, int]] = {}
    for door in (setting.model, setting.envoy):
        for count, each in ((1, 10 * tokens), (streams, tokens)):
            name = f"{door.name}, {_counted(count)}"
            await _together(door, count, tokens=5, gap=0)
            await setting.quiet("memory", "orchestrator")
            with measured_cpu(setting.parts) as use:
                answers = await _together(door, count, each, gap=0)
            speed.add(name, (_rate(answers), *_first(answers)))
            uses[f"{name}, as fast as it goes"] = use, count * each
        with measured_cpu(setting.parts) as use:
            answers = await _together(door, streams, tokens, gap=1 / pace)
        delays = [delay for answer in answers for delay in answer.delays]
        paced.add(door.name, (_rate(answers), *spread(delays, 0.5, 0.95, 0.99), *_first(answers)))
        uses[f"{door.name}, {_counted(streams)}, paced"] = use, streams * tokens
    return [speed, paced, _processor_time(setting, uses)]


async def _together(door: Door, streams: int, tokens: int, gap: float) -> list[Answer]:
    asked = (door.ask(f"stream {number} at {time.monotonic_ns()}", tokens, gap) for number in range(streams))
    return await asyncio.gather(*asked)


def _processor_time(setting: Setting, uses: dict[str, tuple[CpuUse, int]]) -> Table:
    table = Table(
        "Processor time, microseconds a token, and how many of the cores were busy with it",
        (*setting.parts, "cores busy"),
        "From the first call until the last run has ended, the runs' start and end included.",
    )
    for name, (use, tokens) in uses.items():
        busy = sum(use.seconds.values()) / use.wall
        table.add(name, (*(1e6 * use.seconds[part] / tokens for part in setting.parts), busy))
    return table


def _rate(answers: Sequence[Answer]) -> float:
    began = min(answer.began for answer in answers)
    ended = max(answer.tokens[-1][1] for answer in answers)
    return sum(len(answer.tokens) for answer in answers) / ((ended - began) / 1e9)


def _first(answers: Sequence[Answer]) -> tuple[float, float]:
    times = [answer.first_token for answer in answers]
    return 1000 * percentile(times, 0.5), 1000 * percentile(times, 0.95)


def _counted(streams: int) -> str:
    return f"{streams} stream{'s' if streams > 1 else ''}"
