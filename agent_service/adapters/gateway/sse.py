"""Server-sent events, decoded from whatever pieces the network cuts them into.

Owns the framing only. Bytes are decoded by whole lines, so a character split over two pieces is never half read.
"""

from agent_service.adapters.gateway.failures import model_failed

__all__ = ["SseDecoder"]

# A line holds one piece of an answer, in odd cases a whole one; the contract bounds that at 1 MiB of text.
_MAX_LINE_BYTES = 4 * 1024 * 1024


class SseDecoder:
    """Turns bytes into the `data` of events."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[str]:
        """Return the data of the events that this piece completes. Raises MODEL_FAILED for bytes that are no text."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _MAX_LINE_BYTES:
            raise model_failed("the model endpoint sent a line without an end")
        return [data for line in lines if (data := self._line(line.removesuffix(b"\r"))) is not None]

    def end(self) -> list[str]:
        """Return the data of a last event that lacks its empty line: some servers leave it out after `[DONE]`."""
        return [*self.feed(b"\n"), *self.feed(b"\n")]

    def _line(self, line: bytes) -> str | None:
        if not line:
            data, self._data = self._data, []
            return "\n".join(data) if data else None
        name, _, value = line.partition(b":")
        if name == b"data":  # comments, ids, retries and event names mean nothing in this protocol
            try:
                self._data.append(value.removeprefix(b" ").decode())
            except UnicodeDecodeError:
                raise model_failed("the model endpoint sent bytes that are no UTF-8") from None
        return None
