"""`python -m bench.locomo DATA`: evidence recall through the gRPC API, each conversation by weights of the others.

python -m bench.locomo locomo10.json                    the table
python -m bench.locomo locomo10.json --shipped          the same with the weights that come with the service
python -m bench.locomo locomo10.json --learn FILE       learn weights from all conversations, and measure nothing
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.locomo.asking import Asked, ask, drained, stored
from bench.locomo.data import Conversation, load
from bench.locomo.learning import Lesson, learn, lessons
from bench.memory_alone import MemoryAlone, started
from bench.report import Table, listed, machine
from memory_service.adapters.embedding.factory import load_offline
from memory_service.retrieval.weights import SETS, Weights, dump_weights

_ROOT = Path(__file__).resolve().parents[2]
_DEPTHS = (5, 10, 20)
_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open", 4: "single-hop", 5: "adversarial"}
_ADVERSARIAL = 5
_ALONE = {"dense only": "dense", "keywords only (BM25)": "turn"}
"""The baselines: the same service with the weight of one feature."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.locomo", description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="the benchmark's file, e.g. locomo10.json")
    parser.add_argument("--shipped", action="store_true", help="measure the weights that come with the service")
    parser.add_argument("--learn", type=Path, metavar="FILE", help="write weights learned from all conversations")
    options = parser.parse_args()
    conversations = load(options.data)
    with tempfile.TemporaryDirectory(prefix="mesh-locomo-") as name:
        directory = Path(name)
        if options.learn:
            options.learn.write_text(dump_weights(learn(_flat(asyncio.run(_lessons(conversations, directory))))))
        else:
            asyncio.run(_measure(conversations, directory, shipped=options.shipped))


async def _lessons(conversations: Sequence[Conversation], directory: Path) -> list[list[Lesson]]:
    model = await load_offline(directory / "cache")
    if model is None:
        raise SystemExit("the offline model is not installed")
    try:
        return [await lessons(conversation, model) for conversation in conversations]
    finally:
        await model.close()


def _flat(taught: Sequence[Sequence[Lesson]]) -> list[Lesson]:
    return [lesson for each in taught for lesson in each]


async def _measure(conversations: Sequence[Conversation], directory: Path, *, shipped: bool) -> None:
    print(listed(machine(_ROOT)), end="\n\n", flush=True)
    # Before the stores run: learning takes both processors.
    taught = [] if shipped else await _lessons(conversations, directory)
    folds = [learn(_flat(taught[:held] + taught[held + 1 :])) for held in range(len(taught))]
    async with started(directory) as stores:
        places = await _store(stores, conversations)
        asked: dict[str, list[Asked]] = {}
        for name, feature in _ALONE.items():
            asked[name] = await _ask(stores, directory, conversations, places, [_alone(feature)])
        asked["RRF of the two, equal weights"] = [
            _fused(*pair) for pair in zip(*(asked[name] for name in _ALONE), strict=True)
        ]
        name = "the service, shipped weights" if shipped else "the service, leave one conversation out"
        asked[name] = await _ask(stores, directory, conversations, places, folds)
    _print(asked, [conversation.name for conversation in conversations])


async def _store(stores: MemoryAlone, conversations: Sequence[Conversation]) -> list[dict[str, int]]:
    turns = sum(len(conversation.turns) for conversation in conversations)
    async with stores.serve() as (address, _):
        began = time.monotonic()
        places = []
        for conversation in conversations:
            async with stores.client(address, conversation.name) as client:
                places.append(dict(await stored(client, conversation)))
        acknowledged = time.monotonic() - began
        await drained(stores.database_url)
        indexed = time.monotonic() - began
    print(
        f"{turns} turns stored at {turns / acknowledged:.0f} a second; all were indexed after {indexed:.0f} s, "
        f"{turns / indexed:.0f} a second (each embedded, and read token by token).\n",
        flush=True,
    )
    return places


async def _ask(
    stores: MemoryAlone,
    directory: Path,
    conversations: Sequence[Conversation],
    places: Sequence[dict[str, int]],
    folds: Sequence[Weights],
) -> list[Asked]:
    """Ask everything; each conversation of its own fold, if there is more than one. None: the shipped weights."""
    answers: list[Asked] = []
    shared = conversations if len(folds) <= 1 else None
    for number, group in enumerate([shared] if shared else [[each] for each in conversations]):
        settings = {}
        if folds:
            file = directory / f"weights-{number}.json"
            file.write_text(dump_weights(folds[number]))
            settings["MESH_RANKING_FILE"] = str(file)
        async with stores.serve(**settings) as (address, _):
            for conversation in group:
                async with stores.client(address, conversation.name) as client:
                    await ask(client, conversation, places[conversations.index(conversation)])  # warms it up
                    answers += await ask(client, conversation, places[conversations.index(conversation)])
        print(f"asked {sum(len(each.questions) for each in group)} questions", file=sys.stderr, flush=True)
    return answers


def _alone(feature: str) -> Weights:
    return Weights(
        {kind: np.array([float(name == feature) for name in names], np.float32) for kind, names in SETS.items()}
    )


def _fused(one: Asked, other: Asked) -> Asked:
    ranks = [{turn: rank for rank, turn in enumerate(each.ranked)} for each in (one, other)]
    turns = ranks[0].keys() | ranks[1].keys()
    score = {turn: sum(1 / (60 + rank[turn]) for rank in ranks if turn in rank) for turn in turns}
    ranked = sorted(turns, key=lambda turn: (-score[turn], turn))
    return Asked(one.conversation, one.category, one.evidence, ranked, one.seconds + other.seconds)


def _print(asked: dict[str, list[Asked]], names: Sequence[str]) -> None:
    columns = [f"R@{depth}" for depth in _DEPTHS] + [f"{name}@10" for name in _CATEGORIES.values()]
    table = Table("Evidence recall in per cent, categories 1 to 4", (*columns, "p50 ms", "p95 ms"), "")
    for method, answers in asked.items():
        counted = [each for each in answers if each.category != _ADVERSARIAL]
        figures = [100 * float(np.mean([each.recall(depth) for each in counted])) for depth in _DEPTHS]
        figures += [
            100 * float(np.mean([each.recall(10) for each in answers if each.category == number]))
            for number in _CATEGORIES
        ]
        times = np.array([each.seconds for each in answers]) * 1000
        table.add(method, (*figures, float(np.percentile(times, 50)), float(np.percentile(times, 95))))
    print(table.markdown())
    last = list(asked)[-1]
    for name in names:
        own = [each.recall(10) for each in asked[last] if each.conversation == name and each.category != _ADVERSARIAL]
        print(f"- {last}, {name}: R@10 {100 * float(np.mean(own)):.1f} ({len(own)} questions)")


if __name__ == "__main__":
    main()
