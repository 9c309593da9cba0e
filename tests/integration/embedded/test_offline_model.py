# ruff: noqa: ASYNC110 - nothing else runs in the loop of a test
"""The offline model over real sockets, as OpenAI clients use it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshctl.embedded.offline import OfflineModel, start_offline_model
from meshkit.errors import FailedPrecondition
from tests.integration.embedded.processes import showing

CALCULATOR = {
    "type": "function",
    "function": {
        "name": "calculator",
        "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
    },
}
RECALLED = {"role": "system", "content": "<recalled_memory>\n- [2026-11-20] My name is Ada\n</recalled_memory>"}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def request(*messages: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"model": "builtin/rules-1", "messages": list(messages), **more}


@pytest.fixture
async def model(state: Path) -> AsyncIterator[OfflineModel]:
    server = await start_offline_model(state)
    yield server
    await server.stop()


@pytest.fixture
async def client(model: OfflineModel) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {model.key}"}
    async with httpx.AsyncClient(base_url=model.url, headers=headers, trust_env=False) as client:
        yield client


async def streamed(client: httpx.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with client.stream("POST", "/chat/completions", json=body | {"stream": True}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") async for line in response.aiter_lines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


async def test_its_one_model_is_listed(client: httpx.AsyncClient) -> None:
    assert [model["id"] for model in (await client.get("/models")).json()["data"]] == ["builtin/rules-1"]


async def test_an_answer_in_one_piece(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/chat/completions", json=request(RECALLED, user("What is my name?")))).json()
    choice = answer["choices"][0]
    assert "My name is Ada" in choice["message"]["content"]
    assert choice["finish_reason"] == "stop"
    words = len(choice["message"]["content"].split())
    asked = len(RECALLED["content"].split()) + 4
    assert answer["usage"] == {"prompt_tokens": asked, "completion_tokens": words, "total_tokens": asked + words}


async def test_a_stream_of_words_adds_up_to_the_same_answer(client: httpx.AsyncClient) -> None:
    body = request(RECALLED, user("What is my name?"))
    whole = (await client.post("/chat/completions", json=body)).json()
    *chunks, usage = await streamed(client, body | {"stream_options": {"include_usage": True}})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    words = [delta["content"] for delta in deltas[1:-1]]
    assert "".join(words) == whole["choices"][0]["message"]["content"]
    assert all(len(word.split()) == 1 for word in words)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    assert len({chunk["id"] for chunk in [*chunks, usage]}) == 1


async def test_without_the_option_a_stream_tells_no_usage(client: httpx.AsyncClient) -> None:
    assert all("usage" not in chunk for chunk in await streamed(client, request(user("hello"))))


async def test_a_tool_call_comes_in_fragments_and_its_result_is_quoted(client: httpx.AsyncClient) -> None:
    asked = user("use the calculator: 12*7 - (3 + 4)")
    body = request(asked, tools=[CALCULATOR])
    chunks = await streamed(client, body)
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert calls[0]["function"] == {"name": "calculator", "arguments": ""}
    assert {call["index"] for call in calls} == {0}
    assert len(calls) > 3
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"expression": "12*7 - (3 + 4)"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"

    whole = (await client.post("/chat/completions", json=body)).json()["choices"][0]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["tool_calls"][0]["function"] == {"name": "calculator", "arguments": arguments}

    result = {"role": "tool", "tool_call_id": whole["message"]["tool_calls"][0]["id"], "content": "77"}
    body = request(asked, whole["message"], result, tools=[CALCULATOR])
    answer = (await client.post("/chat/completions", json=body)).json()["choices"][0]["message"]["content"]
    assert answer.startswith("The tool calculator answered: 77")


async def test_a_limit_on_the_answer_is_kept(client: httpx.AsyncClient) -> None:
    choice = (await client.post("/chat/completions", json=request(user("hello"), max_tokens=3))).json()["choices"][0]
    assert choice["message"]["content"].split() == ["No", "language", "model"]
    assert choice["finish_reason"] == "length"


async def test_content_may_come_in_parts(client: httpx.AsyncClient) -> None:
    parts = [{"type": "text", "text": "use the calculator:"}, {"type": "text", "text": "1+1"}]
    body = request({"role": "user", "content": parts}, tools=[CALCULATOR])
    choice = (await client.post("/chat/completions", json=body)).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("key", [None, "wrong", "ü"])
async def test_without_the_key_nothing_is_answered(model: OfflineModel, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}".encode()} if key is not None else {}
    async with httpx.AsyncClient(base_url=model.url, headers=headers, trust_env=False) as client:
        for response in (await client.get("/models"), await client.post("/chat/completions", json=request(user("x")))):
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(("body", "status", "param"), [
    (b"", 400, "body"),
    (b"{", 400, "body"),
    (b"\xff\xfe", 400, "body"),
    (b"[]", 400, "body"),
    (b"[" * 100_000, 400, "body"),
    (b'{"model": "builtin/rules-1", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, "body"),
    (request(), 400, "messages"),
    (request("text"), 400, "messages.0"),  # type: ignore[arg-type]
    (request({"role": "wizard", "content": "x"}), 400, "messages.0.role"),
    (request({"role": "user", "content": 7}), 400, "messages.0.content.str"),
    (request(user("x"), tools=[{"type": "web_search"}]), 400, "tools.0.type"),
    (request(user("x"), tools=[{"type": "function"}]), 400, "tools.0.function"),
    (request(user("x"), tools=[CALCULATOR], tool_choice={"function": {"name": "other"}}), 400, "tool_choice"),
    (request(user("x"), n=2), 400, "n"),
    (request(user("x"), max_tokens=0), 400, "max_tokens"),
    (request(user("x"), response_format={"type": "json_object"}), 400, "response_format.type"),
    (request(user("x")) | {"model": "gpt-5"}, 404, "model"),
])  # fmt: skip
async def test_a_wrong_request_is_told_what_is_wrong(
    client: httpx.AsyncClient, body: bytes | dict[str, Any], status: int, param: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await client.post("/chat/completions", content=content)
    assert response.status_code == status
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"]


async def test_other_paths_methods_and_sizes_are_refused_in_the_same_form(client: httpx.AsyncClient) -> None:
    large = json.dumps(request(user("x" * 5_000_000))).encode()
    answers = [
        (await client.get("/nothing"), 404),
        (await client.get("/chat/completions"), 405),
        (await client.post("/chat/completions", content=large), 413),
    ]
    for response, status in answers:
        assert response.status_code == status
        assert response.json()["error"]["type"] == "invalid_request_error"


async def test_a_client_that_leaves_ends_the_answer_at_once(state: Path) -> None:
    model = await start_offline_model(state, delay_ms=1000)
    try:
        headers = {"Authorization": f"Bearer {model.key}"}
        async with httpx.AsyncClient(base_url=model.url, headers=headers, trust_env=False) as client:
            body = request(user("hello"), stream=True)
            async with client.stream("POST", "/chat/completions", json=body) as response:
                first = await anext(response.aiter_lines())
        left = asyncio.get_running_loop().time()
        async with asyncio.timeout(0.9):  # before the next piece is due
            while "ended=cut" not in model.child.log.read_text():
                await asyncio.sleep(0.01)
        took = asyncio.get_running_loop().time() - left
        assert json.loads(first.removeprefix("data: "))["id"] in model.child.log.read_text()
        assert took < 0.5
    finally:
        await model.stop()


async def test_many_streams_at_once_take_turns(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(streamed(client, request(user("hello"))) for _ in range(50)))
    assert len({len(chunks) for chunks in answers}) == 1
    assert len({chunks[0]["id"] for chunks in answers}) == 50


async def test_its_key_is_private_and_it_runs_once_per_directory(model: OfflineModel, state: Path) -> None:
    assert model.key_file.stat().st_mode & 0o777 == 0o600
    assert not showing(model.key)
    assert model.key not in repr(model)
    with pytest.raises(FailedPrecondition, match="already running"):
        await start_offline_model(state, patience=0.1)
