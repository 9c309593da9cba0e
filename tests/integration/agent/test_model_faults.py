"""A model that fails while others may answer: three attempts a step over all of them, and never a word said twice."""

import time
from typing import Any

import pytest
from agentmesh.agent.v1 import activity_pb2
from agentmesh.errors.v1 import reason_pb2
from agentmesh.orchestrator.v1 import ledger_service_pb2

from meshkit.errors import DeadlineExceeded, Unavailable
from meshkit.ids import new_id
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import Cut, ModelServer, Reply, call, chunk, fail, raw, say, stall_after
from tests.integration.agent.conftest import MODEL_KEY, Client, Process, Run, logged

FIRST = chunk({"role": "assistant", "content": ""})
HALF_SAID = raw(FIRST, chunk({"content": "half"}), Cut())


def asked(model: ModelServer, about: str) -> list[str]:
    """Return which models were asked, in order."""
    return [str(exchange.body["model"]) for exchange in model.about(about)]


def spec(*fallbacks: str) -> dict[str, Any]:
    return {"model": "main", "fallback_models": fallbacks}


@pytest.mark.parametrize(
    ("fallbacks", "order"),
    [
        ((), ["main", "main", "main"]),
        (("b",), ["main", "main", "b"]),
        (("b", "c"), ["main", "b", "c"]),
        (("b", "c", "d"), ["main", "b", "c"]),
        (("main", "b"), ["main", "main", "b"]),
    ],
)
async def test_three_requests_are_all_whatever_the_models(
    client: Client, model: ModelServer, fallbacks: tuple[str, ...], order: list[str]
) -> None:
    about = f"all of {len(fallbacks)} {fallbacks} fail"
    model.script(*[fail(500)] * 9, when=about)
    run = Run()
    with pytest.raises(Unavailable) as caught:
        await client.run(about, spec=spec(*fallbacks), into=run)
    assert asked(model, about) == order
    assert (caught.value.reason, caught.value.metadata["http_status"]) == ("MODEL_FAILED", "500")
    assert run.kinds == ["step_started", "step_finished"]
    assert run.events[-1].step_finished.failure.reason == reason_pb2.ERROR_REASON_MODEL_FAILED


@pytest.mark.parametrize(
    ("reply", "order"),
    [
        (fail(404), ["main", "b"]),  # a refusal: asking the same one again brings the same
        (fail(401), ["main", "b"]),
        (fail(429, retry_after="120"), ["main", "b"]),  # nobody waits so long while another may answer
        (fail(503), ["main", "main", "b"]),
        (raw(b"<html>", content_type="text/html"), ["main", "main", "b"]),
    ],
)
async def test_the_next_model_answers_and_is_named_and_paid(
    client: Client, model: ModelServer, ledger: LedgerPeer, reply: Reply, order: list[str]
) -> None:
    about, number = f"fall back from {reply.status} {reply.content_type}", new_id("run")
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    model.script(*[reply] * (len(order) - 1), say("Here", " I am.", model="backup", usage=usage), when=about)
    began = time.monotonic()
    run = await client.run(about, spec=spec("b"), run=number)
    assert time.monotonic() - began < 5
    assert asked(model, about) == order
    assert run.text == "Here I am."
    assert run.kinds.count("step_restarted") == 0  # nothing was told that had to be taken back
    (told,) = run.all("usage")
    assert (told.model, told.input_tokens, told.output_tokens) == ("backup", 100, 10)
    assert told.cost_micros == 100 * 10 + 10 * 20
    (recorded,) = ledger.books[number].completed
    assert recorded.usage == told
    assert run.all("completed")[0].usage.cost_micros == told.cost_micros


async def test_a_price_of_the_model_asked_holds_for_the_name_it_answers_with(
    client: Client, model: ModelServer
) -> None:
    about = "what do you cost"
    model.script(say("Little.", model="priced-2026-01-01"), when=about)
    run = await client.run(about, spec={"model": "priced"})
    assert run.all("usage")[0].cost_micros == 10 * 1 + 1 * 2


async def test_what_has_no_price_costs_nothing(client: Client, model: ModelServer) -> None:
    model.script(say("Nothing."), when="are you free")
    assert (await client.run("are you free")).all("usage")[0].cost_micros == 0


async def test_retry_after_is_obeyed(client: Client, model: ModelServer) -> None:
    model.script(fail(429, retry_after="1.2"), fail(503, retry_after="0"), say("Now."), when="obey me")
    assert (await client.run("obey me")).text == "Now."
    one, two, three = model.about("obey me")
    assert 1.2 <= two.began - one.began < 2.2
    assert three.began - two.began < 0.2  # "at once" is obeyed, too


BROKEN_OFF = {
    "a cut": HALF_SAID,
    "no end": raw(FIRST, chunk({"content": "half"})),
    "half a character": raw(FIRST, chunk({"content": "half"}), b'data: {"choices": [{"delta": {"content": "\xe4\xb8'),
    "malformed events": raw(FIRST, chunk({"content": "half"}), b"data: {oops\n\n"),
    "an error inside": raw(FIRST, chunk({"content": "half"}), b'data: {"error": {"code": 1}}\n\n'),
    "a stall": stall_after("half"),
}


@pytest.mark.parametrize("how", BROKEN_OFF)
async def test_an_answer_that_broke_off_is_taken_back_before_another_is_told(
    client: Client, model: ModelServer, how: str
) -> None:
    about = f"break off by {how}."
    model.script(BROKEN_OFF[how], say("The", " whole", " answer."), when=about)
    run = await client.run(about, spec=spec("b"))
    assert asked(model, about) == (["main", "b"] if how == "a stall" else ["main", "main"])
    tokens = [
        event.token_delta.text if event.WhichOneof("event") == "token_delta" else "RESTART"
        for event in run.events
        if event.WhichOneof("event") in {"token_delta", "step_restarted"}
    ]
    restart = tokens.index("RESTART")
    assert "".join(tokens[:restart]) == "half"
    assert "".join(tokens[restart + 1 :]) == "The whole answer."
    assert len({event.step for event in run.events if event.step}) == 1  # the same step, begun again
    assert run.kinds.count("step_started") == run.kinds.count("step_finished") == 1
    assert [message.text for message in run.all("message_finished")] == ["The whole answer."]
    assert run.all("completed")[0].output == "The whole answer."


async def test_calls_of_tools_in_an_answer_that_broke_off_are_not_made(client: Client, model: ModelServer) -> None:
    wanted = call("calculator", {"expression": "6*7"})
    model.script(raw(*wanted.steps[:-3], Cut()), wanted, say("It is 42."), when="cut in the call")
    run = await client.run("cut in the call", "calculator")
    assert [result.content for result in run.all("tool_result")] == ["42"]
    assert run.text == "It is 42."


async def test_a_silent_model_is_given_up_for_the_next_one(client: Client, model: ModelServer) -> None:
    model.script(stall_after(), say("I speak."), when="be silent")
    began = time.monotonic()
    run = await client.run("be silent", spec=spec("b"))
    assert 1.9 < time.monotonic() - began < 4.0  # one patience, not three
    assert asked(model, "be silent") == ["main", "b"]
    assert run.text == "I speak."
    assert "step_restarted" not in run.kinds


async def test_silent_models_take_one_patience_each(client: Client, model: ModelServer) -> None:
    model.script(stall_after(), stall_after(), when="all be silent")
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        await client.run("all be silent", spec=spec("b"))
    assert 3.8 < time.monotonic() - began < 6.0
    assert caught.value.reason == "MODEL_TIMEOUT"
    assert asked(model, "all be silent") == ["main", "b"]


async def test_a_circuit_opens_for_one_tenant_and_operators_hear_of_it(agent: Process, model: ModelServer) -> None:
    tenant, name = new_id("tenant"), new_id("model")
    model.script(*[fail(500, text=MODEL_KEY)] * 5, when="break the circuit")
    wanted = {"model": name, "fallback_models": ()}
    async with agent.channel(tenant=tenant) as channel, agent.channel(tenant=new_id("tenant")) as other:
        client = Client(channel, agent.tokens)
        for attempts in (3, 5):
            with pytest.raises(Unavailable):
                await client.run("break the circuit", spec=wanted)
            assert len(model.about("break the circuit")) == attempts
        with pytest.raises(Unavailable) as caught:
            await client.run("break the circuit", spec=wanted)
        assert caught.value.reason == "CIRCUIT_OPEN"
        assert 5 < (caught.value.retry_after or 0) <= 10
        assert len(model.about("break the circuit")) == 5  # it was not asked
        run = await client.run("break the circuit", spec={**wanted, "fallback_models": ("b",)})
        assert (run.text, asked(model, "break the circuit")[-1]) == ("Yes.", "b")
        assert (await Client(other, agent.tokens).run("break the circuit", spec=wanted)).text == "Yes."
    opened = [line for line in logged(agent) if line.get("tenant") == tenant and line["event"] == "circuit_opened"]
    assert [(line["kind"], line["name"]) for line in opened] == [("model", name)]
    assert MODEL_KEY not in agent.log.read_text()


async def test_what_another_run_was_answered_is_told_without_asking(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    first, second = new_id("run"), new_id("run")
    model.script(say("Kept", " well."), when="keep this answer")
    asked_first = await client.run("keep this answer", run=first)
    (kept,) = ledger.books[first].completed

    def remembers(request: ledger_service_pb2.BeginStepRequest) -> ledger_service_pb2.BeginStepResponse:
        assert request.digest == ledger.books[first].asked[0].digest  # the same request has the same name
        replay = {"result": kept.result, "cached": True}
        return ledger_service_pb2.BeginStepResponse(step="model-1", replay=replay)

    ledger.scripts[second] = remembers
    run = await client.run("keep this answer", run=second)
    assert len(model.about("keep this answer")) == 1
    assert run.text == asked_first.text == "Kept well."
    (started,) = run.all("step_started")
    assert started.cached
    assert started.kind == activity_pb2.STEP_KIND_MODEL
    assert not run.all("usage")
    assert not ledger.books[second].completed
