"""The model of the benchmark: an OpenAI-compatible endpoint that says words at the pace a prompt asks for.

    python -m bench.model_server      prints its port, serves, and ends when its standard input does

Its tokens are plain words, because memory embeds what was said: numbers would be cut into many pieces. It notes when it
sent each, on the monotonic clock that all processes of a machine share, and tells the times of a prompt when asked.
It is a bare HTTP server, so that it never is what limits. Tests that need a model to misbehave have the scripted one.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Mapping

__all__ = ["MODEL", "ask", "ask_tools"]

MODEL = "bench-1"
"""The model's id."""

_WORDS = b"the harbour was quiet when a small boat came in with letters for people who had waited since spring".split()
# Prompts whose times nobody has asked for yet: those of streams under way, and of warm-ups.
_MAX_KEPT = 1000
_ASKED = re.compile(r"say (\d+) tokens, (\d+(?:\.\d+)?) ms apart")
_TOOLS = re.compile(r"call (\d+) tools")
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_sent: dict[str, list[int]] = {}


def ask(topic: str, tokens: int, gap: float) -> str:
    """Return a prompt about the topic to which the model says so many tokens, `gap` seconds apart."""
    return f"{topic}: say {tokens} tokens, {gap * 1000:g} ms apart"


def ask_tools(topic: str, number: int) -> str:
    """Return a prompt to which the model calls the calculator so many times in turn, then speaks for some seconds."""
    return f"{topic}: call {number} tools, then say 2 tokens, 8000 ms apart"


def main() -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve())


async def _serve() -> None:
    server = await asyncio.start_server(_converse, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)  # whoever started it holds the other end, also when killed


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, which stays open between them."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            if length is None:
                return
            request = json.loads(await reader.readexactly(int(length[1])))
            if head.startswith(b"POST /v1/times "):
                times = json.dumps(_sent.pop(request["prompt"], [])).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(times), times))
                await writer.drain()
            else:
                await _answer(request, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the caller has left
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _answer(request: dict[str, object], writer: asyncio.StreamWriter) -> None:
    messages = request["messages"]
    assert isinstance(messages, list)
    # The newest one: it may quote earlier ones.
    prompt = next(said["content"] for said in reversed(messages) if said["role"] == "user")
    called = sum(said["role"] == "tool" for said in messages)
    if (tools := _TOOLS.search(prompt)) and called < int(tools[1]):
        await _call(called, writer)
        return
    wish = _ASKED.findall(prompt)[-1]
    tokens, gap = int(wish[0]), float(wish[1]) / 1000
    if len(_sent) >= _MAX_KEPT:
        del _sent[next(iter(_sent))]
    times = _sent[prompt] = []
    before, after = _around_content()
    writer.write(_HEAD)
    began = asyncio.get_running_loop().time()
    for number in range(tokens):
        if gap:
            # Against the plan and not against the token before, so that lateness does not add up.
            await asyncio.sleep(began + number * gap - asyncio.get_running_loop().time())
        elif not number % 16:
            await asyncio.sleep(0)  # streams that run side by side take turns
        times.append(time.monotonic_ns())
        writer.write(_chunk(b"%s%s %s" % (before, _WORDS[number % len(_WORDS)], after)))
        await writer.drain()
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}}
    events = _event(end) + _event(usage) + b"data: [DONE]\n\n"
    writer.write(_chunk(events) + _chunk(b""))
    await writer.drain()


async def _call(number: int, writer: asyncio.StreamWriter) -> None:
    function = {"name": "calculator", "arguments": json.dumps({"expression": f"{number}+1"})}
    call = {"index": 0, "id": f"call-{number}", "type": "function", "function": function}
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}}
    events = _event({"choices": [choice]}) + _event(usage) + b"data: [DONE]\n\n"
    writer.write(_HEAD + _chunk(events) + _chunk(b""))
    await writer.drain()


def _event(fields: Mapping[str, object]) -> bytes:
    data = {"id": "bench", "object": "chat.completion.chunk", "created": 1, "model": MODEL, **fields}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _around_content() -> tuple[bytes, bytes]:
    """Return what stands before and after the token in its event: made once, since only the token differs."""
    event = _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "@@"}, "finish_reason": None}]})
    before, _, after = event.partition(b"@@")
    return before, after


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


if __name__ == "__main__":
    main()
