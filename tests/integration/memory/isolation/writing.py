"""What people store, change and delete in the test of isolation, under names that many of them use at once."""

from typing import Any

from agentmesh.memory.v1.document_service_pb2 import DeleteDocumentRequest, IngestDocumentRequest
from agentmesh.memory.v1.extraction_pb2 import ExtractionMode
from agentmesh.memory.v1.extraction_service_pb2 import ExtractFactsRequest
from agentmesh.memory.v1.fact_pb2 import FactCategory
from agentmesh.memory.v1.interaction_service_pb2 import StoreInteractionRequest
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest, PutFactRequest, SupersedeFactRequest
from agentmesh.memory.v1.origin_pb2 import Origin
from agentmesh.memory.v1.privacy_service_pb2 import EraseUserRequest, PurgeBySourceRequest
from agentmesh.memory.v1.settings_service_pb2 import (
    GetMemorySettingsRequest,
    MemorySettings,
    UpdateMemorySettingsRequest,
)

from meshkit.ids import new_id
from tests.integration.memory.conftest import request_id
from tests.integration.memory.isolation.people import Person, Refusal, World

__all__ = ["KEYS", "SESSIONS", "SOURCES", "URIS", "change_settings", "erase", "ingest", "pretend", "purge", "put",
           "remove", "say", "say_the_same", "supersede"]  # fmt: skip

# Few, and the same for everybody: whatever is joined badly collides.
SESSIONS = ("", "one", "s", "x.s.one")
KEYS = ("home", "name", "vault", "x:u:y", "fact")
URIS = ("", "file:vault", "file:handbook")
SOURCES = ("tool:web", "tool:shell")
_REQUESTS = tuple(f"r-{number}" for number in range(6))
_WORDS = ("vault", "harbour", "violin", "garden", "kettle", "letter", "window", "summer", "ticket", "bridge", "doctor")
_SAYINGS = ("My name is {0}, {1}.", "I live in {0}. {1}", "{1} {0}", "The secret of the {1} is {0}")


def text(world: World, person: Person) -> str:
    """Return something to say, with the person's canary in it."""
    words = " ".join(world.random.choices(_WORDS, k=4))
    return world.random.choice(_SAYINGS).format(person.canary, words)


def repeatable(world: World) -> str:
    """Return a request id: one that others use too, now and then."""
    return world.random.choice(_REQUESTS) if world.random.random() < 0.1 else request_id()


def whom(world: World, person: Person) -> tuple[Person, str]:
    """Return somebody for whom the person may act, and what to call them in a request."""
    if not person.is_clerk:
        return person, world.random.choice(("", person.user)) if person.user.isprintable() else ""
    other = world.random.choice([each for each in world.people if person.may_see(each) and each.user.isprintable()])
    return (person, "") if other.is_witness else (other, other.user)


async def say(world: World, person: Person) -> None:
    owner, user = whom(world, person)
    request = StoreInteractionRequest(
        request_id=repeatable(world), user=user, session=world.random.choice(SESSIONS), run="run", agent="writer",
        input=text(world, owner), output=text(world, owner), labels={"note": owner.canary}, speaker=owner.canary,
    )  # fmt: skip
    client = person.client
    if world.random.random() < 0.3:
        request.origin = Origin.ORIGIN_TOOL
        request.source = world.random.choice(SOURCES)
    elif person.agent and world.random.random() < 0.3:
        client = person.agent
    await stored(world, person, "StoreInteraction", client.turns.StoreInteraction, request, owner)


async def put(world: World, person: Person) -> None:
    owner, user = whom(world, person)
    request = PutFactRequest(
        request_id=repeatable(world), user=user, key=world.random.choice(KEYS), value=text(world, owner),
        category=world.random.choice(FactCategory.values()), run="run", step=owner.canary, quote=text(world, owner),
    )  # fmt: skip
    client = person.client
    if world.random.random() < 0.3:
        request.origin, request.source = Origin.ORIGIN_TOOL, world.random.choice(SOURCES)
    elif person.agent and world.random.random() < 0.3:
        client = person.agent
    # As if another's turn had said so: it must not be shown for that.
    if foreign := world.id_of("int", lambda other: not person.may_see(other)):
        request.interaction = foreign
        person.named.add(foreign)
        owner.named.add(foreign)
        for clerk in world.people:
            if clerk.may_see(owner):
                clerk.named.add(foreign)
    await stored(world, person, "PutFact", client.facts.PutFact, request, owner)


async def ingest(world: World, person: Person) -> None:
    owner, user = whom(world, person)
    request = IngestDocumentRequest(
        request_id=repeatable(world), user=user, title=f"Book of {owner.canary}", uri=world.random.choice(URIS),
        media_type="text/markdown", content=f"# {owner.canary}\n\n{text(world, owner)}\n".encode(),
        labels={"note": owner.canary},
    )  # fmt: skip
    await stored(world, person, "IngestDocument", person.client.documents.IngestDocument, request, owner)


async def supersede(world: World, person: Person) -> None:
    fact = world.id_of("fact", lambda owner: person.may_see(owner) and not owner.is_witness)
    if fact is None:
        return
    owner = world.owners[fact]
    request = SupersedeFactRequest(
        request_id=repeatable(world), fact=fact, value=text(world, owner), reason=text(world, owner)
    )
    await stored(world, person, "SupersedeFact", person.client.facts.SupersedeFact, request, owner)


async def say_the_same(world: World, person: Person) -> None:
    """Make a request that many make to the letter: each is answered with what is their own."""
    if world.random.random() < 0.5:
        fact = PutFactRequest(request_id="same", key="same", value="the same for everybody")
        await stored(world, person, "PutFact", person.client.facts.PutFact, fact, person)
    else:
        turn = StoreInteractionRequest(request_id="same", session="one", input="the same for everybody")
        await stored(world, person, "StoreInteraction", person.client.turns.StoreInteraction, turn, person)


async def stored(world: World, person: Person, method: str, call: Any, request: Any, owner: Person) -> None:
    """Make a request to store something of the owner's, which others may have made under the same id."""
    repeated = not world.first_use(owner, method, request.request_id)
    answers = await world.ask(person, method, lambda: call(request), owner)
    if not isinstance(answers, Refusal):
        for answer in answers:
            world.keep(answer.id, owner)
    elif answers.reason.startswith("REQUEST_") and not repeated:
        world.problems.append(f"{method} of {person} hears that others used {request.request_id}: {answers}")


async def remove(world: World, person: Person) -> None:
    """Delete something that the person may delete."""
    kind = world.random.choice(("fact", "doc"))
    gone = world.id_of(kind, lambda owner: person.may_see(owner) and not owner.is_witness)
    if gone is None:
        return
    if kind == "fact":
        await world.ask(
            person, "DeleteFact", lambda: person.client.facts.DeleteFact(DeleteFactRequest(fact=gone)), None
        )
    else:
        await world.ask(
            person, "DeleteDocument",
            lambda: person.client.documents.DeleteDocument(DeleteDocumentRequest(document=gone)), None,
        )  # fmt: skip


async def erase(world: World, person: Person) -> None:
    """Erase somebody: it takes what is theirs, wherever names meet."""
    owner, user = whom(world, person)
    if user and not owner.is_witness:
        request = EraseUserRequest(user=user)
        await world.ask(person, "EraseUser", lambda: person.client.privacy.EraseUser(request), owner)


async def purge(world: World, person: Person) -> None:
    """Purge a source: one's own, or for a clerk everybody's of the tenant."""
    owner, user = whom(world, person)
    request = PurgeBySourceRequest(source=world.random.choice((*SOURCES, *URIS[1:])), user=user)
    if person.is_clerk and world.random.random() < 0.5:
        # What came from the other source is the witness's, in this tenant and the other.
        request.source, request.user, request.all_users = SOURCES[1], "", True
    await world.ask(person, "PurgeBySource", lambda: person.client.privacy.PurgeBySource(request), owner)


async def change_settings(world: World, person: Person) -> None:
    mode = world.random.choice((ExtractionMode.EXTRACTION_MODE_ON, ExtractionMode.EXTRACTION_MODE_DRY_RUN))
    service = person.client.settings
    await world.ask(person, "GetMemorySettings", lambda: service.GetMemorySettings(GetMemorySettingsRequest()), None)
    request = UpdateMemorySettingsRequest(settings=MemorySettings(extraction=mode))
    await world.ask(person, "UpdateMemorySettings", lambda: service.UpdateMemorySettings(request), None)


async def pretend(world: World, person: Person) -> None:
    """Try to change what is another's: refused in the very words that an id gets that never was."""
    facts, documents, extraction = person.client.facts, person.client.documents, person.client.extraction
    kind = world.random.choice(("int", "fact", "doc"))
    foreign = world.id_of(kind, lambda owner: not person.may_see(owner))
    if foreign is None:
        return
    owned = text(world, person)
    calls: dict[str, list[tuple[str, Any]]] = {
        "int": [
            ("ExtractFacts", lambda name: extraction.ExtractFacts(ExtractFactsRequest(interaction=name))),
            ("ExtractFacts", lambda name: extraction.ExtractFacts(ExtractFactsRequest(interaction=name, dry_run=True))),
        ],
        "fact": [
            ("DeleteFact", lambda name: facts.DeleteFact(DeleteFactRequest(fact=name))),
            ("DeleteFact", lambda name: facts.DeleteFact(DeleteFactRequest(fact=name, etag="etag_x"))),
            ("SupersedeFact", lambda name: facts.SupersedeFact(
                SupersedeFactRequest(request_id=request_id(), fact=name, value=owned))),
        ],
        "doc": [
            ("DeleteDocument", lambda name: documents.DeleteDocument(DeleteDocumentRequest(document=name))),
        ],
    }  # fmt: skip
    method, call = world.random.choice(calls[kind])
    await alike(world, person, method, call, foreign, new_id(kind))


async def alike(world: World, person: Person, method: str, call: Any, foreign: str, nobodys: str) -> None:
    """Make a call with what is another's and with what is nobody's: both are answered alike, and with nothing."""
    one, other = [await world.ask(person, method, lambda name=name: call(name), person) for name in (foreign, nobodys)]
    if any(isinstance(answer, Refusal) and answer.may_pass for answer in (one, other)):
        return
    if one != other:
        world.problems.append(f"{method} of {person} tells {foreign} from {nobodys}: {one} and {other}")
    if isinstance(one, list) and any(answer.ByteSize() for answer in one):
        world.problems.append(f"{method} of {person} answers for {foreign}: {one}")
