"""What belongs to another tenant, or to another user of the tenant, is like what never was, on every path."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2, session_pb2, session_service_pb2

from meshkit.errors import InvalidArgument, NotFound, PermissionDenied
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHERS = {
    "another tenant": {"tenant": "other"},
    "another tenant's back end": {"tenant": "other", "user": "backend", "more": "users.act_as"},
    "another user": {"user": "bob"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=OTHERS.values(), ids=OTHERS.keys())
async def stranger(request: pytest.FixtureRequest, mesh: Mesh, orchestrator: Orchestrator) -> Client:
    return mesh.client(orchestrator, **request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run(client: Client) -> AsyncIterator[run_pb2.Run]:
    """A run of ada's that is at work, in a session of its own."""
    made = await client.create("hang")
    yield made
    assert (await client.wait(made.id, 0)).state == run_pb2.RUN_STATE_RUNNING  # nothing of the below touched it
    await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=made.id))


async def refusal(client: Client, service: str, method: str, request: Any) -> tuple[str, dict[str, str]]:
    """What a call is answered that names something that is not there."""
    call = getattr(getattr(client, service), method)(request)
    answer = anext(aiter(call)) if method in ("SubscribeRun", "StreamRun") else call
    with pytest.raises(NotFound) as refused:
        await answer
    metadata = {name: value for name, value in refused.value.metadata.items() if name != "trace_id"}
    return refused.value.message, metadata


@pytest.mark.parametrize("method", ["GetRun", "WaitRun", "CancelRun", "SubscribeRun"])
async def test_a_run(stranger: Client, run: run_pb2.Run, method: str) -> None:
    request = getattr(run_service_pb2, f"{method}Request")
    theirs = await refusal(stranger, "runs", method, request(run=run.id))
    assert theirs == await refusal(stranger, "runs", method, request(run=new_id("run")))


@pytest.mark.parametrize("method", ["GetSession", "UpdateSession", "DeleteSession", "ListMessages"])
async def test_a_session(client: Client, stranger: Client, run: run_pb2.Run, method: str) -> None:
    before = await client.sessions.GetSession(session_service_pb2.GetSessionRequest(session=run.session))

    def ask(session: str) -> Any:
        if method == "UpdateSession":
            wanted = session_pb2.Session(id=session, etag=before.etag, title="mine")
            return session_service_pb2.UpdateSessionRequest(session=wanted)
        return getattr(session_service_pb2, f"{method}Request")(session=session)

    theirs = await refusal(stranger, "sessions", method, ask(run.session))
    assert theirs == await refusal(stranger, "sessions", method, ask(new_id("ses")))
    assert await client.sessions.GetSession(session_service_pb2.GetSessionRequest(session=run.session)) == before


@pytest.mark.parametrize("method", ["CreateRun", "StreamRun"])
@pytest.mark.parametrize("user", ["", "ada"])
async def test_a_run_in_a_session(stranger: Client, run: run_pb2.Run, method: str, user: str) -> None:
    """Not even whether the session is busy is told."""

    def ask(session: str) -> Any:
        task = run_service_pb2.CreateRunRequest(request_id=new_id("req"), input="say 1 0", session=session, user=user)
        return run_service_pb2.StreamRunRequest(run=task) if method == "StreamRun" else task

    theirs = await refusal(stranger, "runs", method, ask(run.session))
    assert theirs == await refusal(stranger, "runs", method, ask(new_id("ses")))


async def test_lists(stranger: Client, client: Client, run: run_pb2.Run) -> None:
    listing = run_service_pb2.ListRunsRequest
    assert run.id in [listed.id for listed in (await client.runs.ListRuns(listing())).runs]
    for query in (listing(), listing(session=run.session), listing(agent=run.agent), listing(state=2)):
        assert not (await stranger.runs.ListRuns(query)).runs
    assert not (await stranger.sessions.ListSessions(session_service_pb2.ListSessionsRequest())).sessions


async def test_a_back_end_of_the_tenant_sees_all_its_users(
    mesh: Mesh, orchestrator: Orchestrator, client: Client, run: run_pb2.Run
) -> None:
    backend = mesh.client(orchestrator, user="backend", more="users.act_as")
    assert (await backend.runs.GetRun(run_service_pb2.GetRunRequest(run=run.id))).user == "ada"
    assert (await backend.wait(run.id, 0)).id == run.id
    listed = await backend.runs.ListRuns(run_service_pb2.ListRunsRequest(session=run.session))
    assert [each.id for each in listed.runs] == [run.id]
    bobs = await backend.create("say 2 0", user="bob")
    assert (await backend.events(bobs.id))[-1].state_changed.output == "w0 w1 "
    again = await backend.create("say 1 0", session=bobs.session)
    assert again.user == "bob"
    await backend.wait(again.id)
    session = await backend.sessions.GetSession(session_service_pb2.GetSessionRequest(session=bobs.session))
    said = await backend.sessions.ListMessages(session_service_pb2.ListMessagesRequest(session=session.id))
    assert len(said.messages) == 4
    wanted = session_pb2.Session(id=session.id, etag=session.etag, title="Plans")
    update = session_service_pb2.UpdateSessionRequest(session=wanted)
    assert (await backend.sessions.UpdateSession(update)).title == "Plans"

    bob = mesh.client(orchestrator, user="bob")
    assert (await bob.runs.GetRun(run_service_pb2.GetRunRequest(run=bobs.id))).output == "w0 w1 "
    listed = await bob.runs.ListRuns(run_service_pb2.ListRunsRequest())
    assert [each.id for each in listed.runs] == [again.id, bobs.id]
    with pytest.raises(NotFound):
        await client.runs.GetRun(run_service_pb2.GetRunRequest(run=bobs.id))
    await backend.sessions.DeleteSession(session_service_pb2.DeleteSessionRequest(session=session.id))
    assert not (await bob.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs


async def test_a_page_token_is_of_no_use_to_others(mesh: Mesh, orchestrator: Orchestrator) -> None:
    first, second = (mesh.client(orchestrator, tenant="pages", user=user) for user in ("ada", "bob"))
    for client in (first, first, second):
        await client.wait((await client.create("say 1 0")).id)
    page = await first.runs.ListRuns(run_service_pb2.ListRunsRequest(page_size=1))
    assert page.next_page_token
    with pytest.raises(InvalidArgument):
        await second.runs.ListRuns(run_service_pb2.ListRunsRequest(page_size=1, page_token=page.next_page_token))


async def test_a_repeated_request_shows_nothing_to_who_may_no_longer_see_it(
    mesh: Mesh, orchestrator: Orchestrator
) -> None:
    request_id = new_id("req")
    before = mesh.client(orchestrator, user="backend", more="users.act_as")
    await before.wait((await before.create("say 1 0", user="bob", request_id=request_id)).id)
    after = mesh.client(orchestrator, user="backend")
    with pytest.raises(NotFound):
        await after.create("say 1 0", user="bob", request_id=request_id)


async def test_sessions_of_another_user_are_not_listed_without_the_scope(client: Client) -> None:
    with pytest.raises(PermissionDenied):
        await client.sessions.ListSessions(session_service_pb2.ListSessionsRequest(user="bob"))
