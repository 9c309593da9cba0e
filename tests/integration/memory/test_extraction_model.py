"""A model that finds facts: what it is sent, and that no answer of it, however bad, gets past or holds up anything."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.memory.v1.extraction_pb2 import EXTRACTION_MODE_ON, EXTRACTION_VERDICT_KEPT
from agentmesh.memory.v1.extraction_service_pb2 import ListExtractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import ListFactsRequest
from agentmesh.memory.v1.settings_service_pb2 import MemorySettings, UpdateMemorySettingsRequest
from pydantic import SecretStr

from memory_service.adapters.extracting.model import ModelExtractor
from memory_service.config import Config
from memory_service.domain.extraction import Candidate, Surroundings
from meshkit.errors import Unavailable
from tests.fakes.model_server import ModelServer, Reply, fail, raw, say
from tests.integration.memory.conftest import READ_WRITE, Mesh, until
from tests.unit.memory.gate import turn

HOME = {"key": "city", "value": "Lyon", "quote": "I live in Lyon", "category": "profile", "importance": 0.9}


def answer(*facts: Any) -> Reply:
    return say(json.dumps({"facts": facts}))


def document(content: bytes) -> Reply:
    return raw(content, content_type="application/json")


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest_asyncio.fixture
async def extractor(model: ModelServer) -> AsyncIterator[ModelExtractor]:
    made = ModelExtractor(model.url, "finder-1", SecretStr("key-0123456789"))
    yield made
    await made.close()


async def ask(extractor: ModelExtractor, text: str = "I live in Lyon") -> list[Candidate]:
    around = Surroundings(earlier=[turn("Hello", "You are in Rome.")])
    return list(await extractor.extract(turn(text, "the answer"), around))


async def test_a_model_is_asked_for_a_bounded_answer_about_the_turn(
    model: ModelServer, extractor: ModelExtractor
) -> None:
    model.script(answer(HOME))
    (found,) = await ask(extractor)
    assert (found.key, found.value, found.quote) == ("city", "Lyon", "I live in Lyon")
    (exchange,) = model.exchanges
    body = exchange.body
    assert (body["model"], body["temperature"], body["response_format"]["type"]) == ("finder-1", 0, "json_schema")
    assert body["max_tokens"] > 0
    assert exchange.headers["authorization"] == "Bearer key-0123456789"
    told = json.loads(body["messages"][-1]["content"])
    assert told == {"earlier": [{"user": "Hello", "agent": "You are in Rome."}], "input": "I live in Lyon"}


@pytest.mark.parametrize(
    "reply",
    [
        say("I found nothing."),
        say('{"facts": "none"}'),
        say('{"facts": [{"key": "home"}]}'),
        answer(HOME | {"importance": 7}),
        answer(HOME | {"value": "x" * 5000}),
        answer(*[HOME] * 33),
        document(b"not json"),
        document(b"{}"),
        document(b'{"choices": []}'),
        document(b'{"choices": [{"message": {"content": null}}]}'),
        document(b"[" * 100_000),
        document(b" " * 300_000),
        fail(400),
        fail(422),
    ],
)
async def test_an_answer_that_cannot_be_used_finds_nothing(
    model: ModelServer, extractor: ModelExtractor, reply: Reply
) -> None:
    model.script(reply)
    assert await ask(extractor) == []


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_a_model_that_cannot_answer_now_is_asked_later(
    model: ModelServer, extractor: ModelExtractor, status: int
) -> None:
    model.script(fail(status, text="the key key-0123456789 is wrong"))
    with pytest.raises(Unavailable) as caught:
        await ask(extractor)
    assert "key-0123456789" not in str(caught.value)
    model.script(answer(HOME))
    assert len(await ask(extractor)) == 1


async def test_a_model_that_fails_again_and_again_is_left_alone(model: ModelServer, extractor: ModelExtractor) -> None:
    model.script(*[fail(500)] * 5)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await ask(extractor)
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await ask(extractor)
    assert caught.value.reason == "CIRCUIT_OPEN"
    assert time.monotonic() - began < 0.5
    assert len(model.exchanges) == 5


async def test_half_a_character_can_be_sent(model: ModelServer, extractor: ModelExtractor) -> None:
    model.script(answer())
    assert await ask(extractor, "I live in \ud83d Lyon") == []
    assert "Lyon" in str(model.exchanges[0].body)


def test_an_endpoint_needs_a_model(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="MESH_EXTRACTION_MODEL"):
        Config(**settings, extraction_model_url="http://127.0.0.1:1/v1")


async def test_facts_wait_for_a_model_that_is_away_and_the_gate_judges_what_it_says(
    mesh: Mesh, tenant: str, model: ModelServer
) -> None:
    server = await mesh.serve(extraction_model_url=model.url, extraction_model="finder-1")
    ada = await mesh.client(server, *READ_WRITE, "memory_settings.write", tenant=tenant)
    settings = MemorySettings(extraction=EXTRACTION_MODE_ON)
    await ada.settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=settings))
    lie = HOME | {"key": "role", "value": "admin", "quote": "the user is admin"}
    model.script(fail(503), fail(503), answer(HOME, lie, HOME | {"value": "Rome"}))
    stored = await ada.say("I live in Lyon")

    async def reports() -> Any:
        return (await ada.extraction.ListExtractions(ListExtractionsRequest())).extractions

    (report,) = await until(reports, lambda found: len(found) == 1, seconds=20)
    assert (report.interaction, report.extractor) == (stored.id, "finder-1")
    assert [each.verdict == EXTRACTION_VERDICT_KEPT for each in report.candidates] == [True, False, False]
    facts = (await ada.facts.ListFacts(ListFactsRequest())).facts
    assert [(fact.key, fact.value) for fact in facts] == [("home", "Lyon")]
    assert len(model.exchanges) == 3
