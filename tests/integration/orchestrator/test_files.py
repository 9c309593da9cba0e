"""Files of sessions: what callers may do with them over the wire."""

import asyncio
import hashlib
from typing import Any

import pytest
from agentmesh.orchestrator.v1 import file_pb2, file_service_pb2, session_service_pb2

from meshkit.errors import InvalidArgument, NotFound, PermissionDenied, ResourceExhausted
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGEST = 2 * 1024 * 1024


async def session(client: Client) -> str:
    made = await client.sessions.CreateSession(session_service_pb2.CreateSessionRequest(request_id=new_id("req")))
    return str(made.id)


async def put(client: Client, home: str, name: str, content: bytes = b"a,b\n1,2\n", **fields: Any) -> file_pb2.File:
    request = {"request_id": new_id("req"), "session": home, "name": name, "content": content, **fields}
    return await client.files.CreateFile(file_service_pb2.CreateFileRequest(**request))


async def get(client: Client, home: str, name: str) -> file_service_pb2.GetFileResponse:
    return await client.files.GetFile(file_service_pb2.GetFileRequest(session=home, name=name))


async def names(client: Client, home: str, size: int = 0) -> list[str]:
    """Return the names of all files, read page by page."""
    seen: list[str] = []
    token = ""
    while True:
        request = file_service_pb2.ListFilesRequest(session=home, page_size=size, page_token=token)
        page = await client.files.ListFiles(request)
        seen += [file.name for file in page.files]
        token = page.next_page_token
        if not token:
            return seen


async def test_a_file_is_stored_read_replaced_and_deleted(client: Client) -> None:
    home = await session(client)
    content = bytes(range(256)) * (LARGEST // 256)
    file = await put(client, home, "Table 1.csv", content, media_type="text/csv")
    assert (file.name, file.media_type, file.size, file.run) == ("Table 1.csv", "text/csv", LARGEST, "")
    assert file.digest == hashlib.sha256(content).hexdigest()
    read = await get(client, home, "Table 1.csv")
    assert (read.file, read.content) == (file, content)

    await put(client, home, "Table 1.csv", b"")
    read = await get(client, home, "Table 1.csv")
    assert (read.file.media_type, read.file.size, read.content) == ("application/octet-stream", 0, b"")

    await client.files.DeleteFile(file_service_pb2.DeleteFileRequest(session=home, name="Table 1.csv"))
    for call in (get(client, home, "Table 1.csv"), get(client, "ses_nothing", "a")):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await client.files.DeleteFile(file_service_pb2.DeleteFileRequest(session=home, name="Table 1.csv"))


async def test_a_repeated_request_stores_once(client: Client) -> None:
    home, request_id = await session(client), new_id("req")
    first = await put(client, home, "a", request_id=request_id)
    await put(client, home, "a", b"newer")
    assert await put(client, home, "a", request_id=request_id) == first
    assert (await get(client, home, "a")).content == b"newer"
    with pytest.raises(InvalidArgument) as reused:
        await put(client, home, "a", b"other", request_id=request_id)
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_files_come_in_pages_by_name(client: Client) -> None:
    home = await session(client)
    for name in ("b", "a.txt", "Z", "a b"):
        await put(client, home, name)
    assert await names(client, home) == ["Z", "a b", "a.txt", "b"]
    assert await names(client, home, size=1) == ["Z", "a b", "a.txt", "b"]
    with pytest.raises(InvalidArgument) as foreign:
        await client.files.ListFiles(file_service_pb2.ListFilesRequest(session=home, page_token="AAAA"))
    assert foreign.value.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("name", ["", ".", "..", ".env", "a/b", "../a", "a\\b", "a\n", "a\0", "ä", "x" * 129, " a"])
async def test_a_bad_name_is_refused_by_field(client: Client, name: str) -> None:
    home = await session(client)
    with pytest.raises(InvalidArgument) as refused:
        await put(client, home, name)
    assert [each.field for each in refused.value.field_violations] == ["name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content", b"x" * (LARGEST + 1)),
        ("media_type", "text/html; a=<b>"),
        ("media_type", "text\r\nx: y"),
        ("session", "'"),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_field(client: Client, field: str, value: Any) -> None:
    home = await session(client)
    with pytest.raises(InvalidArgument) as refused:
        await put(client, home, "a", **{field: value})
    assert [each.field for each in refused.value.field_violations] == [field]
    assert await names(client, home) == []


async def test_a_session_holds_so_many_files(client: Client) -> None:
    home = await session(client)
    # All at once: the bound holds also for those who come at the same moment.
    outcomes = await asyncio.gather(*(put(client, home, f"f{n}") for n in range(110)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, ResourceExhausted)]
    assert (len(refused), {each.reason for each in refused}) == (10, {"SESSION_FULL"})
    kept = await names(client, home, size=60)
    assert len(kept) == 100
    await put(client, home, kept[0], b"replaced")
    await client.files.DeleteFile(file_service_pb2.DeleteFileRequest(session=home, name=kept[1]))
    await put(client, home, "one more")


async def test_a_session_holds_so_many_bytes(client: Client) -> None:
    home = await session(client)
    for n in range(16):
        await put(client, home, f"f{n}", b"x" * LARGEST)  # the same content counts each time
    with pytest.raises(ResourceExhausted) as full:
        await put(client, home, "drop", b"x")
    assert (full.value.reason, full.value.message) == (
        "SESSION_FULL",
        "the files of a session have at most 33,554,432 bytes",
    )
    await put(client, home, "f0", b"small")
    await put(client, home, "drop", b"x")


async def test_files_are_seen_by_those_who_see_the_session(
    mesh: Mesh, orchestrator: Orchestrator, client: Client
) -> None:
    home = await session(client)
    await put(client, home, "mine")
    for stranger in (mesh.client(orchestrator, tenant="other"), mesh.client(orchestrator, user="bob")):
        read = get(stranger, home, "mine")
        listed = stranger.files.ListFiles(file_service_pb2.ListFilesRequest(session=home))
        deleted = stranger.files.DeleteFile(file_service_pb2.DeleteFileRequest(session=home, name="mine"))
        for call in (read, put(stranger, home, "theirs"), listed, deleted):
            with pytest.raises(NotFound):
                await call
    office = mesh.client(orchestrator, user="office", more="users.act_as")
    assert (await get(office, home, "mine")).content == b"a,b\n1,2\n"
    reader = mesh.client(orchestrator, scopes=("runs.read",))
    assert await names(reader, home) == ["mine"]
    with pytest.raises(PermissionDenied):
        await put(reader, home, "mine")


async def test_files_go_with_their_session(client: Client) -> None:
    home = await session(client)
    await put(client, home, "a")
    await client.sessions.DeleteSession(session_service_pb2.DeleteSessionRequest(session=home))
    with pytest.raises(NotFound):
        await get(client, home, "a")
