"""Whether a request obeys its contract: every rule in the proto, checked before a handler sees the message.

A field that this service does not know is refused too: a caller that sends it relies on something we would not do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import protovalidate
from google.protobuf.message import Message

from meshkit.errors import FieldViolation, InvalidArgument
from meshkit.rpc.interceptors.chain import Call, Undecodable

__all__ = ["ValidationLayer", "check"]

_MAX_VIOLATIONS = 25  # more help nobody, and the status must fit into the headers


class ValidationLayer:
    """Refuses requests that break their rules, message by message."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Check the request, or put a check before each message of a stream."""
        if hasattr(call.request, "__aiter__"):
            call.request = _checked(call.request)
        else:
            check(call.request)
        yield


def check(message: Message | Undecodable) -> None:
    """Raise InvalidArgument, naming each field, if the message breaks a rule of its proto."""
    if isinstance(message, Undecodable):
        raise InvalidArgument("the bytes of the request are no message of its type, or hold text that is not UTF-8")
    known = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != known:
        raise InvalidArgument("the request has a field that this service does not know")
    violations = protovalidate.collect_violations(message)
    if violations:
        found = [_violation(each.proto) for each in violations[:_MAX_VIOLATIONS]]
        summary = "; ".join(f"{each.field}: {each.description}" for each in found[:3])
        raise InvalidArgument(summary, field_violations=found)


async def _checked(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for message in messages:
        check(message)
        yield message


def _violation(violation: Any) -> FieldViolation:
    path = "".join(_step(element) for element in (violation.field.elements if violation.field else ()))
    return FieldViolation(path.removeprefix("."), violation.message or violation.rule_id)


def _step(element: Any) -> str:
    subscript = element.subscript
    if subscript is None:
        return f".{element.field_name}"
    # The text of a map's key is the caller's own and may be anything: only a list's index is told.
    return f".{element.field_name}[{subscript.value if subscript.field == 'index' else '...'}]"
