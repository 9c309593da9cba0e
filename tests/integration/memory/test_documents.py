"""Documents, as callers see them: ingested, found with their place, replaced, deleted without a trace."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from agentmesh.memory.v1.document_service_pb2 import (
    DeleteDocumentRequest,
    GetDocumentRequest,
    ListDocumentsRequest,
)

from memory_service.domain.model import Kind, Owner, Place
from memory_service.domain.vectors import VectorStore
from meshkit.context import CallContext, use
from meshkit.errors import InvalidArgument, NotFound
from tests.integration.memory.conftest import Client, Mesh, request_id, until

HANDBOOK = """# Handbook

Welcome to the company.

## Holidays

Everybody has thirty days of leave in a year. Unused days expire in March. Ask your lead two weeks before you go.

## Expenses

Trains are paid second class. Keep the receipts of your dinners for seven years and send them to the accountant.
"""


@pytest_asyncio.fixture
async def ada(mesh: Mesh, tenant: str) -> Client:
    return await mesh.client(await mesh.serve(), tenant=tenant)


async def test_what_is_ingested_is_told_as_it_was_sent(ada: Client) -> None:
    made = await ada.read(HANDBOOK, uri="file:handbook.md", labels={"team": "people"})
    assert made.id.startswith("doc_")
    assert (made.user, made.title, made.uri, made.media_type) == (
        "ada",
        "Handbook",
        "file:handbook.md",
        "text/markdown",
    )
    assert dict(made.labels) == {"team": "people"}
    assert made.characters == len(HANDBOOK)
    assert made.sha256 == hashlib.sha256(HANDBOOK.encode()).hexdigest()
    assert made.passages >= 2
    assert await ada.documents.GetDocument(GetDocumentRequest(document=made.id)) == made


async def test_a_passage_is_found_by_its_words_at_once_and_by_its_meaning_soon(ada: Client) -> None:
    made = await ada.read(HANDBOOK, uri="file:handbook.md")
    best = (await ada.look_up("receipts of dinners")).matches[0].passage
    assert best.heading == "Handbook > Expenses"
    assert (best.document, best.title, best.uri) == (made.id, "Handbook", "file:handbook.md")
    assert HANDBOOK[best.start : best.end] == best.text
    assert best.number == 2
    answer = await until(
        lambda: ada.look_up("How much vacation do employees get?"),
        lambda answer: bool(answer.matches) and not answer.degraded,
    )
    assert "thirty days of leave" in answer.matches[0].passage.text


async def test_a_search_may_keep_to_one_document(ada: Client) -> None:
    first, second = [await ada.read(f"The {name} sleeps in the barn.", title=name) for name in ("horse", "cow")]
    assert {match.passage.document for match in (await ada.look_up("barn")).matches} == {first.id, second.id}
    only = (await ada.look_up("barn", document=second.id)).matches
    assert {match.passage.document for match in only} == {second.id}
    assert not (await ada.look_up("barn", document="doc_nobody")).matches
    assert len((await ada.look_up("barn", limit=1)).matches) == 1


async def test_the_same_uri_again_replaces_all_of_the_old_version(ada: Client) -> None:
    old = await ada.read(HANDBOOK, uri="file:handbook.md")
    await until(lambda: ada.look_up("vacation"), lambda answer: bool(answer.matches))
    new = await ada.read("Everybody has thirty-five days of leave.", uri="file:handbook.md")
    other = await ada.read("Elsewhere there is no leave.", uri="file:elsewhere.md")
    assert new.id != old.id
    found = (await ada.look_up("leave receipts dinners", limit=100)).matches
    assert {match.passage.document for match in found} == {new.id, other.id}
    with pytest.raises(NotFound):
        await ada.documents.GetDocument(GetDocumentRequest(document=old.id))
    listed = (await ada.documents.ListDocuments(ListDocumentsRequest())).documents
    assert [document.id for document in listed] == [other.id, new.id]


async def test_of_versions_that_come_at_once_exactly_one_stays(ada: Client) -> None:
    made = await asyncio.gather(*(ada.read(f"barn number {number}", uri="file:barn") for number in range(8)))
    (kept,) = (await ada.documents.ListDocuments(ListDocumentsRequest())).documents
    assert kept in made
    assert [match.passage.document for match in (await ada.look_up("barn")).matches] == [kept.id]


async def test_a_document_without_a_uri_replaces_none(ada: Client) -> None:
    for _ in range(2):
        await ada.read("the same text")
    assert len((await ada.documents.ListDocuments(ListDocumentsRequest())).documents) == 2


async def test_a_repeated_request_stores_once(ada: Client) -> None:
    number = request_id()
    first = await ada.read("once", request_id=number)
    assert await ada.read("once", request_id=number) == first
    assert len((await ada.documents.ListDocuments(ListDocumentsRequest())).documents) == 1
    with pytest.raises(InvalidArgument) as caught:
        await ada.read("twice", request_id=number)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    await ada.documents.DeleteDocument(DeleteDocumentRequest(document=first.id))
    with pytest.raises(NotFound):
        await ada.read("once", request_id=number)


async def test_deleting_leaves_nothing(mesh: Mesh, tenant: str, database: "asyncpg.Connection[Any]") -> None:
    indexes: list[VectorStore] = []

    def keep(inner: VectorStore) -> VectorStore:
        indexes.append(inner)
        return inner

    ada = await mesh.client(await mesh.serve(wrap=keep), tenant=tenant)
    made = await ada.read(HANDBOOK, uri="file:handbook.md")
    place = Place(Owner(tenant, "ada"), Kind.DOCUMENT)
    likeness = [1.0] + [0.0] * 383

    async def indexed() -> dict[str, float]:
        with use(CallContext(tenant, "ada")):
            return await (await indexes[0].at(place))(likeness, 100)

    await until(indexed, lambda found: len(found) == made.passages)
    await ada.documents.DeleteDocument(DeleteDocumentRequest(document=made.id))
    assert not (await ada.look_up("leave receipts vacation")).matches
    with pytest.raises(NotFound):
        await ada.documents.DeleteDocument(DeleteDocumentRequest(document=made.id))
    assert await until(indexed, lambda found: not found) == {}
    for table in ("document", "document_passage", "passage", "outbox"):

        async def rows(table: str = table) -> int:
            return int(await database.fetchval(f"SELECT count(*) FROM memory.{table} WHERE tenant = $1", tenant))

        await until(rows, lambda count: count == 0)


async def test_documents_are_paged_newest_first(ada: Client) -> None:
    made = [(await ada.read(f"text {number}", title=f"T{number}")).id for number in range(5)]
    seen: list[str] = []
    token = ""
    while not seen or token:
        page = await ada.documents.ListDocuments(ListDocumentsRequest(page_size=2, page_token=token))
        assert len(page.documents) <= 2
        seen += [document.id for document in page.documents]
        token = page.next_page_token
    assert seen == made[::-1]


async def test_a_page_is_read_without_what_runs_in_it(ada: Client) -> None:
    page = (
        "<html><head><title>T</title><style>body{color:red}</style></head><body><h1>Boats</h1>"
        "<script>alert('zebra')</script><p>A dinghy&nbsp;is a <b>small</b> boat."
        "<p>Caf&eacute; \U0001f6a3 na\u00efve</body>"
    )
    await ada.read(page, media_type="text/html", title="Page")
    (match,) = (await ada.look_up("dinghy")).matches
    assert match.passage.text == "# Boats\n\nA dinghy is a small boat.\n\nCaf\u00e9 \U0001f6a3 na\u00efve"
    assert match.passage.heading == "Boats"
    assert not [each for each in (await ada.look_up("zebra color")).matches if "alert" in each.passage.text]


@pytest.mark.parametrize(
    ("content", "media_type", "says"),
    [
        (b"\xff\xfe bad", "text/plain", "UTF-8"),
        (b"a\0b", "text/plain", "NUL"),
        (b" \n\t ", "text/markdown", "no text"),
        (b"<p> </p><script>x</script>", "text/html", "no text"),
        (b"<p>\xff</p>", "text/html", "UTF-8"),
        (b"text", "image/png", "media_type"),
        (b"", "text/plain", "content"),
        (b"x" * 3_145_729, "text/plain", "content"),
    ],
)
async def test_what_is_no_text_is_refused(ada: Client, content: bytes, media_type: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        await ada.read(content, media_type=media_type)
    assert not (await ada.documents.ListDocuments(ListDocumentsRequest())).documents


@pytest.mark.parametrize(
    "line",
    [
        lambda number: f"Line {number} tells of item{number}. ",
        lambda number: f"\u8239\u8236\U0001f6a3 item{number}\u3002",
    ],
    ids=["words", "unicode"],
)
async def test_the_largest_document_is_stored_and_found(ada: Client, line: Callable[[int], str]) -> None:
    text = "".join(map(line, range(200_000))).encode()[:3_145_728].decode(errors="ignore")
    made = await ada.read(text, media_type="text/plain")
    assert made.characters == len(text)
    assert made.passages > 3000
    best = (await ada.look_up("item7777")).matches[0].passage
    assert "item7777" in best.text
    assert text[best.start : best.end] == best.text
    await ada.documents.DeleteDocument(DeleteDocumentRequest(document=made.id))
