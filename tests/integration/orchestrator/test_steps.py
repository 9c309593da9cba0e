"""The list of a run's steps: what is in it, page by page, and who sees it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from meshkit.errors import InvalidArgument, NotFound
from orchestrator.domain.steps import StepKind, StepState, ToolOutcome
from tests.integration.orchestrator.desk import (
    ADA,
    BOB,
    COMPLETION,
    OFFICE,
    STRANGER,
    Desk,
    desk,
    three_steps,
)


@pytest_asyncio.fixture
async def front(postgres_url: str, redis_url: str) -> AsyncIterator[Desk]:
    async with desk(postgres_url, redis_url) as opened:
        yield opened


async def test_steps_come_in_order_with_what_they_brought(front: Desk) -> None:
    run = await front.stores.running()
    await three_steps(front, run)
    await front.step(run, StepKind.TOOL, 4, state="FAILED")
    page = await front.stepping.list(ADA, run.id, 50, "", full=True)
    assert [step.id for step in page.items] == ["model-1", "tool-2", "model-3", "tool-4"]
    assert [step.outcome for step in page.items] == [COMPLETION, ToolOutcome("4", memory="mem_1"), COMPLETION, None]
    assert page.items[1].arguments == '{"n": 2}'
    assert (page.items[1].usage.input_tokens, page.items[1].usage.cost_micros) == (7, 11)
    assert [step.state for step in page.items[2:]] == [StepState.COMPLETED, StepState.FAILED]
    assert page.next_page_token == ""


async def test_without_full_the_long_texts_are_left_out(front: Desk) -> None:
    run = await front.stores.running()
    await three_steps(front, run)
    page = await front.stepping.list(OFFICE, run.id, 50, "", full=False)
    assert len(page.items) == 3
    assert {(step.arguments, step.outcome) for step in page.items} == {("", None)}


async def test_pages_follow_each_other_without_a_hole(front: Desk) -> None:
    run = await front.stores.running()
    for number in range(1, 8):
        await front.step(run, StepKind.TOOL, number, ToolOutcome(str(number)))
    seen, token, sizes = [], "", []
    while True:
        page = await front.stepping.list(ADA, run.id, 3, token, full=True)
        seen += [step.number for step in page.items]
        sizes.append(len(page.items))
        token = page.next_page_token
        if not token:
            break
    assert (seen, sizes) == (list(range(1, 8)), [3, 3, 1])
    exact = await front.stepping.list(ADA, run.id, 7, "", full=False)
    assert exact.next_page_token == ""


async def test_a_full_page_is_bounded_by_bytes_but_never_empty(front: Desk) -> None:
    run = await front.stores.running()
    for number in range(1, 5):
        await front.step(run, StepKind.TOOL, number, ToolOutcome(f"{number}" * 1_000_000))
    await front.step(run, StepKind.MODEL, 5, "x" * 3_000_000)
    pages, token = [], ""
    while True:
        page = await front.stepping.list(ADA, run.id, 50, token, full=True)
        pages.append([step.number for step in page.items])
        token = page.next_page_token
        if not token:
            break
    assert [number for page in pages for number in page] == [1, 2, 3, 4, 5]
    assert [len(page) for page in pages] == [2, 2, 1]
    plain = await front.stepping.list(ADA, run.id, 50, "", full=False)
    assert len(plain.items) == 5


async def test_a_run_without_steps_has_an_empty_list(front: Desk) -> None:
    run = await front.stores.queued()
    page = await front.stepping.list(ADA, run.id, 50, "", full=True)
    assert (page.items, page.next_page_token) == ([], "")


@pytest.mark.parametrize("caller", [BOB, STRANGER])
async def test_nobody_reads_the_steps_of_a_run_that_they_do_not_see(front: Desk, caller: Any) -> None:
    run = await front.stores.running()
    with pytest.raises(NotFound):
        await front.stepping.list(caller, run.id, 50, "", full=True)


async def test_a_token_is_bound_to_its_run(front: Desk) -> None:
    run, other = await front.stores.running(), await front.stores.running()
    await three_steps(front, run)
    page = await front.stepping.list(ADA, run.id, 1, "", full=False)
    with pytest.raises(InvalidArgument) as forged:
        await front.stepping.list(ADA, other.id, 1, page.next_page_token, full=False)
    assert forged.value.reason == "PAGE_TOKEN_INVALID"
