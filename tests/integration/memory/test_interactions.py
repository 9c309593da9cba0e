"""Turns through the contract: stored once, listed in pages, any text, any size."""

from datetime import UTC, datetime

import pytest
from agentmesh.memory.v1.context_service_pb2 import GetContextRequest
from agentmesh.memory.v1.interaction_service_pb2 import (
    ListInteractionsRequest,
    SearchInteractionsRequest,
    StoreInteractionRequest,
)
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import InvalidArgument, PermissionDenied
from tests.integration.memory.conftest import Mesh, request_id, until


async def test_a_turn_has_everything_it_was_given(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    when = Timestamp()
    when.FromDatetime(datetime(2020, 2, 29, 12, 0, 0, 123456, tzinfo=UTC))
    request = StoreInteractionRequest(
        request_id=request_id(), session="ses_1", run="run_1", agent="research", input="Hi", output="Hello",
        labels={"speaker": "Ada", "empty": ""}, create_time=when,
    )  # fmt: skip
    stored = await ada.turns.StoreInteraction(request)
    assert (stored.user, stored.session, stored.run, stored.agent) == ("ada", "ses_1", "run_1", "research")
    assert (stored.input, stored.output, stored.create_time) == ("Hi", "Hello", when)
    assert dict(stored.labels) == {"speaker": "Ada", "empty": ""}
    listed = await ada.turns.ListInteractions(ListInteractionsRequest(session="ses_1"))
    assert list(listed.interactions) == [stored]


async def test_a_repeated_request_stores_nothing_more(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    bob = await mesh.client(server, tenant=tenant, subject="bob")
    request = StoreInteractionRequest(request_id="the-run", input="Hi", output="Hello")
    first = await ada.turns.StoreInteraction(request)
    assert await ada.turns.StoreInteraction(request) == first
    assert (await bob.turns.StoreInteraction(request)).id != first.id, "another user's request is another request"
    request.output = "Bye"
    with pytest.raises(InvalidArgument) as caught:
        await ada.turns.StoreInteraction(request)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert len((await ada.turns.ListInteractions(ListInteractionsRequest())).interactions) == 1


async def test_pages_are_newest_first_and_bound_to_their_query(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    for number in range(7):
        await ada.say(str(number), session="one" if number % 2 else "two")
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page = await ada.turns.ListInteractions(ListInteractionsRequest(page_size=3, page_token=token))
        seen += [turn.input for turn in page.interactions]
        token = page.next_page_token or token
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert not page.next_page_token
    with pytest.raises(InvalidArgument):
        await ada.turns.ListInteractions(ListInteractionsRequest(page_token=token, session="one"))
    with pytest.raises(InvalidArgument):
        await ada.turns.ListInteractions(ListInteractionsRequest(page_token=token + "x"))
    one = await ada.turns.ListInteractions(ListInteractionsRequest(session="one"))
    assert [turn.input for turn in one.interactions] == ["5", "3", "1"]


@pytest.mark.parametrize(
    "text",
    [
        "日本語のテキスト",
        "👩‍👩‍👧‍👦 family",
        "it's \\ 'quoted' & | ! <-> :* ( )",
        "a" * 3000,
        "\u202eright to left",
        "%_%",
    ],
)
async def test_any_text_is_kept_and_searched_as_data(mesh: Mesh, tenant: str, text: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    stored = await ada.say(text, text, session="s")
    assert (stored.input, stored.output) == (text, text)
    found = await until(
        lambda: ada.turns.SearchInteractions(SearchInteractionsRequest(query=text)),
        lambda answer: bool(answer.matches) and not answer.degraded,
    )
    assert found.matches[0].interaction.input == text
    recalled = await ada.recall(text, session="s")
    assert [item.interaction.input for item in recalled.items] == [text]


@pytest.mark.parametrize(
    "wrong",
    [
        StoreInteractionRequest(request_id="r", input="a\0b"),
        StoreInteractionRequest(request_id="r", input="a", output="a\0b"),
        StoreInteractionRequest(request_id="r", input="x" * 262_145),
        StoreInteractionRequest(request_id="r", input=""),
        StoreInteractionRequest(request_id="r", input="a", labels={"k": "\0"}),
        StoreInteractionRequest(request_id="", input="a"),
        StoreInteractionRequest(request_id="r", input="a", create_time=Timestamp(seconds=4_102_444_800)),
        StoreInteractionRequest(request_id="r", input="a", create_time=Timestamp(seconds=-(10**17))),
    ],
)
async def test_what_breaks_a_rule_is_refused(mesh: Mesh, tenant: str, wrong: StoreInteractionRequest) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    with pytest.raises(InvalidArgument):
        await ada.turns.StoreInteraction(wrong)


async def test_a_caller_needs_its_scopes(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    reader = await mesh.client(server, "memory.read", tenant=tenant)
    writer = await mesh.client(server, "memory.write", tenant=tenant)
    with pytest.raises(PermissionDenied):
        await reader.say("Hi")
    await writer.say("Hi")
    with pytest.raises(PermissionDenied):
        await writer.contexts.GetContext(GetContextRequest(query="Hi"))
