"""`python -m bench.junk`: what memory keeps of conversations that nobody should learn from, and misses of the others.

Owns the measurement; what was said and what may be kept of it stands in `conversations.yaml`. Each conversation is told
through the gRPC API of a real service on real stores, as a user of its own. It is told twice: to the built-in rules,
and to a scripted model that obeys whatever it reads and claims all that anybody claims, so that the gate alone decides.

    junk rate    of the facts kept, the share that no turn of the user supports
    missed rate  of the facts that a turn of the user supports, the share that was not kept
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from agentmesh.memory.v1.extraction_pb2 import EXTRACTION_MODE_ON, ExtractionCandidate, ExtractionVerdict
from agentmesh.memory.v1.extraction_service_pb2 import ExtractFactsRequest
from agentmesh.memory.v1.interaction_service_pb2 import StoreInteractionRequest
from agentmesh.memory.v1.origin_pb2 import Origin
from agentmesh.memory.v1.settings_service_pb2 import MemorySettings, UpdateMemorySettingsRequest

from bench.memory_alone import started
from bench.report import Table
from meshclient import MeshClient, new_request_id
from tests.fakes.model_server import ModelServer, Reply, say

__all__ = ["Conversation", "ObedientModel", "Outcome", "measure", "read_conversations", "tables"]

_FILE = Path(__file__).with_name("conversations.yaml")
_AT_ONCE = 8
_MODEL = "obedient-1"

Connect = Callable[[str], AbstractAsyncContextManager[MeshClient]]
"""Gives a client that speaks for a user, by name."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is said, what may be kept of it, and what an obedient model claims: key, value, words that say so."""

    name: str
    category: str
    untrusted: bool
    turns: Sequence[Mapping[str, str]]
    keep: Sequence[tuple[str, str]]
    claims: Sequence[tuple[str, str, str]]


@dataclass(slots=True)
class Outcome:
    """What was kept of a conversation."""

    conversation: Conversation
    kept: int = 0
    junk: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)


def read_conversations() -> list[Conversation]:
    """Return the conversations."""
    return [
        Conversation(
            name=told["name"],
            category=told["category"],
            untrusted=told.get("untrusted", False),
            turns=[dict(zip(("say", "answer"), turn, strict=True)) if isinstance(turn, list) else turn
                   for turn in told["turns"]],
            keep=[_pair(each) for each in told["keep"]],
            claims=[(*_pair(each.split(" | ")[0]), each.split(" | ")[1]) for each in told["claims"]],
        )
        for told in yaml.safe_load(_FILE.read_text())
    ]  # fmt: skip


class ObedientModel(ModelServer):
    """Claims everything that it was taught to claim and finds in what it is told, whoever said it."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        super().__init__()
        self._claims = [claim for conversation in conversations for claim in conversation.claims]

    def _reply_to(self, body: Mapping[str, Any]) -> Reply:
        heard = "\n".join(_texts(json.loads(body["messages"][-1]["content"])))
        claims = [
            {"key": key, "value": value, "quote": words, "category": "profile", "importance": 1.0}
            for key, value, words in dict.fromkeys(self._claims)
            if words in heard
        ]
        return say(json.dumps({"facts": claims[:32]}))


async def measure(connect: Connect, conversations: Sequence[Conversation]) -> list[Outcome]:
    """Tell the conversations to a service, each by a user of its own, and return what it kept."""
    async with connect("admin") as admin:
        wanted = MemorySettings(extraction=EXTRACTION_MODE_ON)
        await admin.memory_settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=wanted))
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, conversation: Conversation) -> Outcome:
        async with places, connect(f"user-{number}") as client:
            return _compare(conversation, [found async for found in _tell(client, conversation)])

    return await asyncio.gather(*(one(*each) for each in enumerate(conversations)))


async def _tell(client: MeshClient, conversation: Conversation) -> Any:
    for turn in conversation.turns:
        stored = await client.interactions.StoreInteraction(
            StoreInteractionRequest(
                request_id=new_request_id(),
                session=turn.get("session", "s"),
                input=turn["say"],
                output=turn["answer"],
                origin=Origin.Value(f"ORIGIN_{turn.get('origin', 'user').upper()}"),
                source=turn.get("source", ""),
                speaker=turn.get("speaker", ""),
            )
        )
        # The worker looks through it as well; whoever comes second is told what the first one found.
        for candidate in (await client.extraction.ExtractFacts(ExtractFactsRequest(interaction=stored.id))).candidates:
            yield candidate


def _compare(conversation: Conversation, found: Sequence[ExtractionCandidate]) -> Outcome:
    outcome = Outcome(conversation)
    wanted = list(conversation.keep)
    for candidate in found:
        verdict = ExtractionVerdict.Name(candidate.verdict).removeprefix("EXTRACTION_VERDICT_")
        outcome.verdicts[verdict] = outcome.verdicts.get(verdict, 0) + 1
        if verdict != "KEPT":
            continue
        outcome.kept += 1
        told = (candidate.key, candidate.value)
        if not any(_is(told, each) for each in conversation.keep):
            outcome.junk.append(f"{candidate.key} = {candidate.value}")
        wanted = [each for each in wanted if not _is(told, each)]
    outcome.missed = [f"{key} = {value}" for key, value in wanted]
    return outcome


def _is(told: tuple[str, str], wanted: tuple[str, str]) -> bool:
    """Tell whether a fact is the one wanted: what it is about, and the words that matter."""
    return told[0].partition("_")[0] == wanted[0].partition("_")[0] and wanted[1].casefold() in told[1].casefold()


def tables(extractor: str, outcomes: Sequence[Outcome]) -> Table:
    """Return the rates by category, and of all."""
    table = Table(
        f"Facts kept of {len(outcomes)} conversations, found by {extractor}",
        ("conversations", "turns", "claims", "kept", "junk", "junk %", "supported", "missed", "missed %"),
    )
    categories = list(dict.fromkeys(outcome.conversation.category for outcome in outcomes))
    for category in categories:
        table.add(category, _row([each for each in outcomes if each.conversation.category == category]))
    table.add("of these: recalled, tools, documents, agents, orders", _row([
        each for each in outcomes if each.conversation.untrusted
    ]))  # fmt: skip
    table.add("all", _row(outcomes))
    return table


def _row(outcomes: Sequence[Outcome]) -> list[float]:
    kept, junk = sum(each.kept for each in outcomes), sum(len(each.junk) for each in outcomes)
    supported = sum(len(each.conversation.keep) for each in outcomes)
    missed = sum(len(each.missed) for each in outcomes)
    turns = sum(len(each.conversation.turns) for each in outcomes)
    claims = sum(sum(each.verdicts.values()) for each in outcomes)
    return [len(outcomes), turns, claims, kept, junk, _share(junk, kept), supported, missed, _share(missed, supported)]


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition(" = ")
    return key, value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.junk", description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="also name what was junk and what was missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-junk-") as name:
        asyncio.run(_run(Path(name), named=options.list))


async def _run(directory: Path, *, named: bool) -> None:
    conversations = read_conversations()
    with ObedientModel(conversations) as model:
        async with started(directory) as stores:
            asked = {"MESH_EXTRACTION_MODEL_URL": model.url, "MESH_EXTRACTION_MODEL": _MODEL}
            for extractor, settings in (("builtin/rules", {}), ("an obedient model", asked)):
                tenant = extractor.split()[-1].replace("/", "-")
                async with stores.serve(**settings) as (address, _):
                    outcomes = await measure(lambda user: stores.client(address, user, tenant=tenant), conversations)  # noqa: B023 - called at once
                print(tables(extractor, outcomes).markdown(), end="\n\n", flush=True)
                for outcome in outcomes if named else ():
                    for word, each in [("junk", each) for each in outcome.junk] + [
                        ("missed", each) for each in outcome.missed
                    ]:
                        print(f"{word}: {outcome.conversation.name}: {each}")


if __name__ == "__main__":
    main()
