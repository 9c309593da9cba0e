"""Files as agents reach them: bound to the attempt, as the work of a step; and how long their content is kept."""

import pytest

from meshkit.errors import Aborted, InvalidArgument, NotFound
from meshkit.ids import new_id
from orchestrator.domain.events import StateChange
from orchestrator.domain.files import FileDraft, Files
from orchestrator.domain.forking import Fork
from orchestrator.domain.ledger import Attempt, StepName
from orchestrator.domain.model import RunState
from orchestrator.domain.steps import StepKind, ToolOutcome
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.files import PostgresFiles
from orchestrator.stores.retention import prune_blobs
from tests.integration.orchestrator.conftest import ADA, TENANT, Stores
from tests.integration.orchestrator.desk import Desk, key
from tests.integration.orchestrator.gatekeeper import ADA_CALLS, NO_USE, Ledger, model, tool

TOOL_1 = StepName(StepKind.TOOL, 1)


def csv(content: bytes = b"a,b\n1,2\n", name: str = "out.csv") -> FileDraft:
    return FileDraft(name, "text/csv", content)


async def at_work(ledger: Ledger) -> Attempt:
    """Return an attempt whose tool step 1 is under way."""
    attempt = await ledger.run()
    await ledger.gate.begin(attempt, tool(repeatable=True))
    return attempt


async def test_a_step_makes_a_file_that_its_session_has(stores: Stores) -> None:
    ledger, files = Ledger(stores), Files(PostgresFiles(stores.pool))
    attempt = await at_work(ledger)
    made = await files.put(attempt, TOOL_1, csv())
    assert (made.run, made.size) == (attempt.run, 8)
    home = (await ledger.look(attempt)).session
    assert await files.get(ADA_CALLS, home, "out.csv") == (made, b"a,b\n1,2\n")
    await files.create(ADA_CALLS, key(ADA_CALLS, "CreateFile"), home, csv(b"brought", "in.csv"))
    assert [file.name for file in await files.find(attempt)] == ["in.csv", "out.csv"]
    assert (await files.read(attempt, "in.csv"))[1] == b"brought"
    await files.put(attempt, TOOL_1, csv(b"again"))
    assert (await files.read(attempt, "out.csv"))[1] == b"again"
    with pytest.raises(NotFound):
        await files.read(attempt, "nothing")


async def test_only_an_attempt_at_work_reaches_files(stores: Stores) -> None:
    ledger, files = Ledger(stores), Files(PostgresFiles(stores.pool))
    old = await at_work(ledger)
    await files.put(old, TOOL_1, csv())
    new = await ledger.again(old)
    await ledger.gate.begin(new, tool(repeatable=True))
    for nobody in (old, Attempt("evil", new.run, new.number), Attempt(TENANT, new.run, new.number + 1)):
        for call in (files.put(nobody, TOOL_1, csv(b"late")), files.read(nobody, "out.csv"), files.find(nobody)):
            with pytest.raises(Aborted) as refused:
                await call
            assert refused.value.reason == "ATTEMPT_SUPERSEDED"
    assert (await files.read(new, "out.csv"))[1] == b"a,b\n1,2\n"
    await stores.runs.transition(new.run, lambda now: StateChange(RunState.CANCELLED, now.attempt))
    with pytest.raises(Aborted):
        await files.put(new, TOOL_1, csv(b"late"))


async def test_only_a_tool_step_under_way_makes_files(stores: Stores) -> None:
    ledger, files = Ledger(stores), Files(PostgresFiles(stores.pool))
    attempt = await at_work(ledger)
    await ledger.gate.begin(attempt, model())
    for step, family in (
        (StepName(StepKind.TOOL, 9), NotFound),
        (StepName(StepKind.TOOL, 2), NotFound),  # that one is a model's
        (StepName(StepKind.MODEL, 2), InvalidArgument),
    ):
        with pytest.raises(family):
            await files.put(attempt, step, csv())
    await ledger.gate.complete(attempt, TOOL_1, ToolOutcome("done"), NO_USE)
    with pytest.raises(NotFound):
        await files.put(attempt, TOOL_1, csv())
    assert await files.find(attempt) == []


async def test_a_fork_has_copies_of_its_own(stores: Stores) -> None:
    ledger, files, front = Ledger(stores), Files(PostgresFiles(stores.pool)), Desk(stores)
    attempt = await at_work(ledger)
    await files.put(attempt, TOOL_1, csv())
    await ledger.gate.complete(attempt, TOOL_1, ToolOutcome("done"), NO_USE)
    fork = await front.forking.fork(ADA_CALLS, Fork(key(ADA_CALLS, "ForkRun"), attempt.run, "tool-1"))
    source = (await ledger.look(attempt)).session
    assert fork.session != source
    await files.delete(ADA_CALLS, source, "out.csv")
    file, content = await files.get(ADA_CALLS, fork.session, "out.csv")
    assert (file.run, content) == (attempt.run, b"a,b\n1,2\n")


async def test_content_is_kept_as_long_as_a_file_names_it(stores: Stores) -> None:
    files, run = Files(PostgresFiles(stores.pool)), await stores.queued()
    unique = new_id("x").encode()
    made = await files.create(ADA_CALLS, key(ADA_CALLS, "CreateFile"), run.session, csv(unique))
    age = "update blob set create_time = now() - interval '2 hours' where digest = $1"
    await stores.pool.execute(age, made.digest)
    await prune_blobs(stores.pool)
    assert (await files.get(ADA_CALLS, run.session, "out.csv"))[1] == unique
    await files.delete(ADA_CALLS, run.session, "out.csv")
    await prune_blobs(stores.pool)
    kept = "select count(*) from blob where digest = $1"
    assert await stores.pool.fetchval(kept, made.digest) == 0


async def test_another_tenant_with_the_same_content_has_its_own(stores: Stores) -> None:
    files, content = PostgresFiles(stores.pool), new_id("x").encode()
    mine, theirs = await stores.queued(), await stores.queued("globex")
    await files.create(key(ADA_CALLS, "CreateFile"), ADA, mine.session, csv(content))
    stranger = Viewer("globex", "ada")
    with pytest.raises(NotFound):
        await files.get(stranger, mine.session, "out.csv")
    with pytest.raises(NotFound):
        await files.get(stranger, theirs.session, "out.csv")
