"""As large as the contract allows: stored, found, and answered in messages that gRPC carries."""

from collections.abc import Callable

import pytest
from agentmesh.memory.v1.interaction_service_pb2 import ListInteractionsRequest, SearchInteractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import ListFactsRequest

from tests.integration.memory.conftest import Mesh


async def test_a_page_fits_into_a_message_however_large_the_facts_are(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    for number in range(170):
        await ada.know(f"{number:03}", "x" * 16_384)
    seen: list[str] = []
    token = ""
    pages = 0
    while pages == 0 or token:
        page = await ada.facts.ListFacts(ListFactsRequest(page_size=500, page_token=token))
        seen += [fact.key for fact in page.facts]
        token, pages = page.next_page_token, pages + 1
    assert seen == [f"{number:03}" for number in range(170)]
    assert pages == 2


async def test_turns_as_large_as_they_may_be_are_stored_found_and_paged(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    large = "".join(f"word{number} " for number in range(200_000))[:1_048_576]
    for number in range(5):
        await ada.say(f"zebra {number} " + "input " * 40_000, large, session="large")
    page = await ada.turns.ListInteractions(ListInteractionsRequest(page_size=500))
    assert 1 <= len(page.interactions) < 5
    rest = await ada.turns.ListInteractions(ListInteractionsRequest(page_size=500, page_token=page.next_page_token))
    assert rest.interactions[0].id < page.interactions[-1].id
    found = await ada.turns.SearchInteractions(SearchInteractionsRequest(query="zebra", limit=100))
    assert 1 <= len(found.matches) < 5, "as many as fit into an answer"
    context = await ada.recall("zebra " * 40_000, session="large", token_budget=100_000)
    assert not context.items, "none of them fits"


@pytest.mark.parametrize(
    "piece",
    [
        lambda number: f"{chr(0x4E00 + number % 20_000)}-{chr(0x20000 + number % 40_000)} ",
        lambda number: f"h{number}.example.org/p{number}?q={number} ",
        lambda number: f"u{number}@h{number}.org ",
        lambda number: f"{chr(0x20000 + number % 40_000)} ",
        lambda number: f"a{number}-b{number}-c{number}-d{number} ",
    ],
    ids=["compounds", "addresses", "mail", "letters", "chains"],
)
async def test_text_made_to_have_too_many_words_is_stored_too(
    mesh: Mesh, tenant: str, piece: Callable[[int], str]
) -> None:
    """Postgres refuses to keep more than a megabyte of words of one text."""
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    text = "".join(map(piece, range(120_000)))
    said = text.encode()[:262_144].decode(errors="ignore")
    answer = text[::-1].encode()[:1_048_576].decode(errors="ignore")
    assert (await ada.say(said, answer)).input == said
    value = said.encode()[:16_384].decode(errors="ignore")
    assert (await ada.know("k", value)).value == value
