"""How long tokens take, when one call is made at a time: the first one, and each one of a stream.

Owns these measurements. All doors are measured in turns within one run, so that whatever else the machine does meets
all of them alike.
"""

import asyncio
from collections.abc import Sequence
from statistics import median

from bench.answers import Answer, Door
from bench.report import Table, spread
from bench.setting import Setting

__all__ = ["first_token", "steady_stream"]

_PAUSE = 0.1  # seconds between calls: what the mesh does after an answer must not fall into the next measurement
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
        ("model sent its first token", [answer.sent[0] - answer.began for answer in answers]),
        ("first token arrived", [answer.arrived[0] - answer.began for answer in answers]),
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
        await door.ask(f"a warm-up of {door.name}", tokens=20, gap=gap)
        delays = (await door.ask(f"a steady stream, {door.name}", tokens, gap)).delays
        base = base or median(delays)
        table.add(door.name, [*spread(delays, 0.5, 0.95, 0.99), 1000 * (median(delays) - base)])
        await asyncio.sleep(_PAUSE)
    return table
