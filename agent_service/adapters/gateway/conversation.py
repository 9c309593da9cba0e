"""What the user said while the agent works, at its place in the conversation.

The framework does not know of it and sends its own messages with every request. So what was said is put in again each
time, where it stood when the model first read it: after as many messages as the request then had.
"""

from collections.abc import Iterable
from typing import Any

from agent_service.domain.ledger import Steering

__all__ = ["Conversation"]


class Conversation:
    """The steering of one attempt."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[int, str]] = {}

    def join(self, steering: Iterable[Steering], messages: int) -> None:
        """Note what joins with a request of so many messages."""
        for said in steering:
            self._said.setdefault(said.number, (messages, said.text))

    def complete(self, messages: list[Any]) -> list[Any]:
        """Return the messages with what was said in between."""
        whole = list(messages)
        # From the last one on, so that the places of the earlier ones stay right.
        for _number, (place, text) in sorted(self._said.items(), reverse=True):
            whole.insert(min(place, len(messages)), {"role": "user", "content": text})
        return whole
