"""The model endpoint (`MESH_MODEL_URL`): one request and its time limits.

Owns the upstream key and the connection pool. It yields bytes as they come and knows nothing of their meaning. It asks
once: who asks again, and whom, is the route's to say.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from agent_service.adapters.gateway.failures import model_failed, model_timeout
from meshkit.errors import MeshError

__all__ = ["ModelTimeouts", "Patience", "Upstream"]

_ERROR_CODE = re.compile("[a-z_]{1,40}")  # a word of the protocol; no key looks like it
_MAX_ERROR_BYTES = 16 * 1024
_ERROR_BODY_SECONDS = 1.0
_LONGEST_RETRY_AFTER_SECONDS = 86_400.0  # also of "inf", which is a number to Python


@dataclass(frozen=True, slots=True)
class ModelTimeouts:
    """Seconds."""

    connect: float = 5.0
    first_token: float = 30.0
    next_token: float = 60.0


class Patience:
    """When the next token must have come. Bytes that bring none (comments, a role) do not count."""

    def __init__(self, timeouts: ModelTimeouts) -> None:
        self._timeouts, self._loop = timeouts, asyncio.get_running_loop()
        self.restart()

    def restart(self) -> None:
        """Wait for the first token, from now."""
        self.any_token = False
        self.until = self._loop.time() + self._timeouts.first_token

    def token(self) -> None:
        """A token has come: wait for the next one."""
        self.any_token = True
        self.until = self._loop.time() + self._timeouts.next_token

    def over(self) -> MeshError:
        """Return the error of a model that was waited for in vain."""
        if self.any_token:
            return model_timeout(f"the model sent no next token within {self._timeouts.next_token:g} s")
        return model_timeout(f"the model sent no first token within {self._timeouts.first_token:g} s")


class Upstream:
    """Calls the model endpoint."""

    def __init__(self, url: str, key: str | None, timeouts: ModelTimeouts) -> None:
        """`url` ends in `/v1`; `key` is sent as a bearer token if there is one."""
        self.timeouts = timeouts
        headers = {"accept-encoding": "identity"}  # compressing servers hold tokens back
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers=headers,
            # Silence is judged by `Patience`, in tokens; sending a request of some MiB must not hang either.
            timeout=httpx.Timeout(None, connect=timeouts.connect, write=30.0),
            # As many as there are calls, which the number of runs bounds; a queue here would look like a slow model.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0),
            trust_env=False,  # the environment is read by config.py alone
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(
        self, body: bytes, patience: Patience, trace: Mapping[str, str]
    ) -> AsyncGenerator[tuple[bool, bytes], None]:
        """Ask for a completion; yield its bytes, each time with whether they are events (or one JSON document).

        `trace` are the headers that make the call a part of the run's trace.
        Raises MODEL_FAILED and MODEL_TIMEOUT. Close the iterator: that closes the socket.
        """
        request = self._client.build_request(
            "POST", "chat/completions", content=body, headers={**trace, "content-type": "application/json"}
        )
        try:
            async with asyncio.timeout_at(patience.until):
                response = await self._client.send(request, stream=True)
        except httpx.ConnectTimeout:
            raise model_failed("the model endpoint does not accept connections in time") from None
        except httpx.TransportError as error:
            raise model_failed(f"the model endpoint is not reached: {type(error).__name__}") from None
        except TimeoutError:
            raise patience.over() from None
        try:
            if response.status_code != httpx.codes.OK:
                raise await _refusal(response)
            is_stream = _streams(response)
            pieces = aiter(response.aiter_raw())
            while True:
                try:
                    async with asyncio.timeout_at(patience.until):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise patience.over() from None
                except httpx.TransportError as error:
                    raise model_failed(f"the model endpoint cut the connection: {type(error).__name__}") from None
                yield is_stream, piece
        finally:
            await response.aclose()


async def _refusal(response: httpx.Response) -> MeshError:
    """Return why an answer with another status than 200 is none."""
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        retry_after = _retry_after(response.headers.get("retry-after", ""))
        return model_failed(f"the model endpoint answered HTTP {status}", status=status, retry_after=retry_after)
    code = await _error_code(response)
    return model_failed(
        f"the model endpoint refused the request with HTTP {status}{f' ({code})' if code else ''}", status=status
    )


async def _error_code(response: httpx.Response) -> str:
    """Return the word that names the error (`model_not_found`). The text beside it may hold keys and conversations."""
    body = b""
    try:
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > _MAX_ERROR_BYTES:
                    return ""
        code = json.loads(body)["error"]["code"]
    except (httpx.TransportError, TimeoutError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


def _streams(response: httpx.Response) -> bool:
    """Return whether the answer is a stream of events; else it is JSON. Raises MODEL_FAILED for everything else."""
    kind = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if kind not in {"text/event-stream", "application/json"}:
        raise model_failed("the model endpoint sent neither events nor JSON")
    return kind == "text/event-stream"


def _retry_after(value: str) -> float | None:
    """Return the seconds that the header asks for: a number, or a date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER_SECONDS)
