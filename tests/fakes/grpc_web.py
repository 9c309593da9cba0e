"""A gRPC-Web client as a browser would be one: frames over plain HTTP, errors as the mesh's own exceptions."""

import base64
from collections.abc import AsyncGenerator, Mapping
from typing import TypeVar
from urllib.parse import unquote

import httpx
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2

from meshkit.errors import family
from meshkit.rpc.status import from_status

Answer = TypeVar("Answer", bound=Message)

_TRAILERS = 0x80


class GrpcWebClient:
    """Calls methods by path. `http` decides between HTTP/1.1 and HTTP/2, and where the server is."""

    def __init__(self, http: httpx.AsyncClient, headers: Mapping[str, str] | None = None) -> None:
        self._http = http
        self._headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **(headers or {})}

    async def unary(self, path: str, request: Message, kind: type[Answer]) -> Answer:
        """Return the one answer. Raises a MeshError for a failed call, ValueError for what is no gRPC-Web."""
        answers = [answer async for answer in self.stream(path, request, kind)]
        if len(answers) != 1:
            raise ValueError(f"{len(answers)} answers to a unary call")
        return answers[0]

    async def stream(self, path: str, request: Message, kind: type[Answer]) -> AsyncGenerator[Answer, None]:
        """Yield the answers as they arrive. Closing the generator aborts the call. Raises like `unary`."""
        call = self._http.stream("POST", path, content=_frame(request), headers=self._headers)
        async with call as response:
            if "grpc-status" in response.headers:  # an error before any answer comes in the headers alone
                _finish(response.headers)
                return
            if response.status_code != 200:
                raise ValueError(f"HTTP {response.status_code} is no gRPC-Web answer")
            received = b""
            async for piece in response.aiter_raw():
                received += piece
                while len(received) >= 5 and len(received) >= (end := 5 + int.from_bytes(received[1:5])):
                    flags, payload, received = received[0], received[5:end], received[end:]
                    if flags & _TRAILERS:
                        _finish(_parse(payload))
                        return
                    yield kind.FromString(payload)
        raise ValueError("the answer ended without trailers")


def _frame(message: Message) -> bytes:
    payload = message.SerializeToString()
    return b"\0" + len(payload).to_bytes(4) + payload


def _parse(trailers: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in trailers.decode("ascii").split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _finish(trailers: Mapping[str, str]) -> None:
    code = int(trailers["grpc-status"])
    if code == 0:
        return
    packed = trailers.get("grpc-status-details-bin", "")
    if packed:
        raise from_status(status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4))))
    raise family(code_pb2.Code.Name(code))(unquote(trailers.get("grpc-message", "")))
