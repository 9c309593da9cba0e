"""A model that refuses, stalls, breaks off or talks nonsense: at most three attempts, never a word of garbage."""

import json
import time
from typing import Any

import pytest
from agentmesh.errors.v1 import reason_pb2

from meshkit.errors import DeadlineExceeded, MeshError, Unavailable
from tests.fakes.model_server import Cut, ModelServer, Reply, call, chunk, fail, raw, say, stall_after
from tests.integration.agent.conftest import MODEL_KEY, Client, Run, until

FIRST, DONE = chunk({"role": "assistant", "content": ""}), b"data: [DONE]\n\n"


async def failed(client: Client, text: str, kind: type[MeshError] = Unavailable, *tools: str) -> tuple[Run, Any]:
    """Run an agent that fails; return what it told before, and the error."""
    run = Run()
    with pytest.raises(kind) as caught:
        await client.run(text, *tools, into=run)
    return run, caught.value


def assert_told(run: Run, reason: int) -> None:
    """The failed step ends with its reason, and nothing that was not said is told as said."""
    last = run.events[-1]
    assert last.WhichOneof("event") == "step_finished"
    assert last.step_finished.failure.reason == reason
    assert last.step_finished.failure.source == "model"
    assert "message_finished" not in run.kinds
    assert "completed" not in run.kinds


@pytest.mark.parametrize("first", [fail(429, retry_after="0.3"), fail(500), fail(503), raw(Cut())])
async def test_a_refusal_is_tried_again(client: Client, model: ModelServer, first: Reply) -> None:
    about = f"try again {first.status} {len(first.headers)} {first.content_type}"
    model.script(first, say("Now", " it works."), when=about)
    run = await client.run(about)
    assert run.text == "Now it works."
    one, two = model.about(about)
    if first.headers:
        assert two.began - one.began >= 0.3
    assert run.kinds.count("step_started") == 1


async def test_three_attempts_are_all(client: Client, model: ModelServer) -> None:
    model.script(*[fail(503, text=f"secret {MODEL_KEY}") for _ in range(9)], when="never works")
    run, error = await failed(client, "never works")
    assert len(model.about("never works")) == 3
    assert (error.reason, error.metadata["http_status"]) == ("MODEL_FAILED", "503")
    assert_told(run, reason_pb2.ERROR_REASON_MODEL_FAILED)
    assert "secret" not in error.message
    assert MODEL_KEY not in str(run.events)


async def test_a_long_retry_after_is_told_and_not_waited_for(client: Client, model: ModelServer) -> None:
    model.script(fail(429, retry_after="120"), when="come back later")
    began = time.monotonic()
    _, error = await failed(client, "come back later")
    assert time.monotonic() - began < 5
    assert len(model.about("come back later")) == 1
    assert error.retry_after == 120


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
async def test_a_wrong_request_is_not_tried_again(client: Client, model: ModelServer, status: int) -> None:
    about = f"refuse with {status}"
    model.script(fail(status, text=f"key {MODEL_KEY} is wrong"), when=about)
    run, error = await failed(client, about)
    assert len(model.about(about)) == 1
    assert error.metadata["http_status"] == str(status)
    assert MODEL_KEY not in error.message
    assert_told(run, reason_pb2.ERROR_REASON_MODEL_FAILED)


@pytest.mark.parametrize(("code", "told"), [("model_not_found", " (model_not_found)"), (MODEL_KEY, ""), (None, "")])
async def test_the_word_for_a_refusal_is_told_and_its_text_is_not(
    client: Client, model: ModelServer, code: str | None, told: str
) -> None:
    about = f"refuse as {told or code}."
    model.script(fail(404, text=f"no model for {MODEL_KEY}", code=code), when=about)
    _, error = await failed(client, about)
    assert error.message == f"the model endpoint refused the request with HTTP 404{told}"


async def test_a_model_without_a_first_token_is_given_up(client: Client, model: ModelServer) -> None:
    model.script(stall_after(), when="stall at once")  # a role comes, and no token
    began = time.monotonic()
    run, error = await failed(client, "stall at once", DeadlineExceeded)
    assert 1.9 < time.monotonic() - began < 4.0
    assert error.reason == "MODEL_TIMEOUT"
    assert_told(run, reason_pb2.ERROR_REASON_MODEL_TIMEOUT)
    assert len(model.about("stall at once")) == 1


async def test_a_model_that_stalls_is_given_up_and_its_socket_closed(client: Client, model: ModelServer) -> None:
    model.script(stall_after("one", " two"), when="stall later")
    run, error = await failed(client, "stall later", DeadlineExceeded)
    given_up = time.monotonic()
    assert error.reason == "MODEL_TIMEOUT"
    assert run.text == "one two"
    assert_told(run, reason_pb2.ERROR_REASON_MODEL_TIMEOUT)
    (exchange,) = model.about("stall later")
    await until(lambda: exchange.dropped is not None)
    assert exchange.dropped is not None
    assert exchange.dropped - given_up < 0.1
    assert 1.4 < exchange.dropped - exchange.sent[-1] < 2.5


BROKEN = {
    "no json": raw(FIRST, b"data: {oops\n\n", DONE),
    "not an object": raw(FIRST, b"data: [1]\n\n", DONE),
    "a wrong type": raw(FIRST, chunk({"content": 7}), DONE),
    "wrong choices": raw(FIRST, b'data: {"choices": [3]}\n\n', DONE),
    "half a character": raw(FIRST, b'data: {"x": "\xe4\xb8"}\n\n', DONE),
    "an error inside": raw(FIRST, b'data: {"error": {"message": "secret"}}\n\n', DONE),
    "no end": raw(FIRST, chunk({"content": "an"})),
    "a page": raw(b"<html>hello</html>", content_type="text/html"),
    "a cut": raw(FIRST, chunk({"content": "an"}), Cut()),
    "a cut inside a character": raw(FIRST, chunk({"content": "an"}), b'data: {"x": "\xe4', Cut()),
    "deep nesting": raw(FIRST, b"data: " + b'{"a":' * 100_000 + b"\n\n"),
    "too much": raw(FIRST, *[chunk({"content": "x" * 65_536})] * 17),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_nonsense_ends_the_run(client: Client, model: ModelServer, how: str) -> None:
    model.script(*[BROKEN[how]] * 3, when=f"send {how}.")
    run, error = await failed(client, f"send {how}.")
    assert error.reason == "MODEL_FAILED"
    assert_told(run, reason_pb2.ERROR_REASON_MODEL_FAILED)
    assert set(run.text) <= set("anx")
    assert len(model.about(f"send {how}.")) == 3  # the framework has read nothing of it: it may be asked again
    assert run.kinds.count("step_restarted") == (2 if run.text else 0)
    assert "secret" not in str(error.message)


async def test_a_failure_after_tools_keeps_what_was_done(client: Client, model: ModelServer) -> None:
    model.script(call("calculator", {"expression": "1+1"}), fail(400), when="fail at the end")
    run, _ = await failed(client, "fail at the end", Unavailable, "calculator")
    assert run.all("tool_result")[0].content == "2"
    assert_told(run, reason_pb2.ERROR_REASON_MODEL_FAILED)


async def test_an_endpoint_that_does_not_stream_is_understood(client: Client, model: ModelServer) -> None:
    body = b'{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop",'
    body += '"message":{"role":"assistant","content":"Ganz und gar: 世"}}]}'.encode()
    model.script(raw(body[:100], body[100:], content_type="application/json; charset=utf-8"), when="no stream")
    run = await client.run("no stream")
    assert run.text == "Ganz und gar: 世" == run.all("completed")[0].output
    assert run.all("usage")[0].output_tokens > 0  # reckoned, since the endpoint does not tell


async def test_a_whole_answer_is_told_in_pieces_that_an_event_may_hold(client: Client, model: ModelServer) -> None:
    text = "世" * 300_000
    model.script(raw(json.dumps(say(text).document).encode(), content_type="application/json"), when="all at once")
    run = await client.run("all at once")
    assert run.text == text == run.all("completed")[0].output
    assert max(len(delta.text.encode()) for delta in run.all("token_delta")) <= 262_144


async def test_surrogate_halves_and_nul_never_reach_a_message(client: Client, model: ModelServer) -> None:
    halves = [b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % half for half in (b"\\ud83d", b"\\ude80")]
    lone = b'data: {"choices":[{"delta":{"content":"\\ud83d.\\u0000"},"finish_reason":"stop"}]}\n\n'
    model.script(raw(*halves, lone, DONE), when="odd characters")
    run = await client.run("odd characters")
    assert run.text == "🚀\ufffd." == run.all("completed")[0].output
