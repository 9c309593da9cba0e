"""Files that need a parser: PDFs as people have them, and files made to do harm."""

import time
import zlib

import pytest
import pytest_asyncio
from agentmesh.memory.v1.document_service_pb2 import ListDocumentsRequest

from memory_service.adapters.reading.reader import FileReader
from meshkit.errors import InvalidArgument
from tests.integration.memory.conftest import Client, Mesh


def pdf(*pages: bytes, stream: bytes | None = None) -> bytes:
    """Return a PDF file, a page for each text; `stream` is the content of the last page, packed."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[" + kids + b"]/Count %d>>" % len(pages),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, page in enumerate(pages):
        place = b"/Resources<</Font<</F 3 0 R>>>>/MediaBox[0 0 600 800]/Contents %d 0 R" % (5 + 2 * number)
        objects.append(b"<</Type/Page/Parent 2 0 R" + place + b">>")
        content = stream if stream and number == len(pages) - 1 else b"BT /F 12 Tf 50 700 Td (" + page + b") Tj ET"
        packed = zlib.compress(content, 9)
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed) + packed + b"\nendstream")
    body, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj" % number + each + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n" % size
        + table
        + (b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(body)))
    )


@pytest_asyncio.fixture
async def ada(mesh: Mesh, tenant: str) -> Client:
    return await mesh.client(await mesh.serve(), tenant=tenant)


async def test_a_pdf_is_read_page_by_page(ada: Client) -> None:
    file = pdf(b"The caf\xe9 opens at nine.", b"Dinghies are moored at the pier.")
    made = await ada.read(file, media_type="application/pdf", title="Guide", uri="https://example.org/guide.pdf")
    (match,) = (await ada.look_up("moored dinghies")).matches
    assert match.passage.text == "The caf\u00e9 opens at nine.\n\nDinghies are moored at the pier."
    assert (match.passage.document, match.passage.uri) == (made.id, "https://example.org/guide.pdf")


async def test_a_pdf_of_many_pages_is_read_up_to_the_limit(ada: Client) -> None:
    made = await ada.read(pdf(*(b"Page number %d." % number for number in range(500))), media_type="application/pdf")
    assert made.passages > 5
    assert (await ada.look_up("page number 499")).matches


BOMB = b"BT /F 12 Tf 50 700 Td " + b"(x) Tj " * 2_000_000 + b"ET"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pdf(*[b"x"] * 501), "500"),
        (pdf(b"", b" "), "no text"),
        (b"%PDF-1.7 and no more", "cannot be read"),
        (pdf(b"broken")[:200], "cannot be read|no text"),
        (pdf(b"x", stream=b"BT /F 12 Tf (" + b"y" * 4_000_000 + b") Tj ET"), "bytes of text"),
    ],
    ids=["pages", "pictures", "none", "cut", "much text"],
)
async def test_a_pdf_that_cannot_be_read_is_refused(ada: Client, content: bytes, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        await ada.read(content, media_type="application/pdf")
    assert not (await ada.documents.ListDocuments(ListDocumentsRequest())).documents


async def test_a_file_that_keeps_the_parser_busy_is_given_up() -> None:
    reader = FileReader(seconds=1.0)
    started = time.monotonic()
    with pytest.raises(InvalidArgument, match="too long"):
        await reader("application/pdf", pdf(b"x", stream=BOMB))
    assert time.monotonic() - started < 5
    assert await reader("text/html", b"<p>still reads") == "still reads"
