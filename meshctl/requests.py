"""What runs ask of people, in words: what is asked, how it is answered from elsewhere, and how it was.

Owns the words. Arguments are shown as the model wrote them, whole: a person approves what they see.
"""

import contextlib
import json

from agentmesh.orchestrator.v1.input_request_pb2 import InputAnswer, InputKind, InputRequest
from agentmesh.orchestrator.v1.run_event_pb2 import InputAnswered

from meshctl.console import err

__all__ = ["answered", "is_object", "remedy", "show_request", "summary", "visible"]

_ANSWERS = {
    InputAnswer.INPUT_ANSWER_APPROVED: "approved",
    InputAnswer.INPUT_ANSWER_DENIED: "denied",
    InputAnswer.INPUT_ANSWER_EDITED: "approved with other arguments",
    InputAnswer.INPUT_ANSWER_TEXT: "answered",
}


def visible(text: str) -> str:
    """Return the text with all that a terminal would not show, or show elsewhere, as JSON's escapes.

    Signs that turn the direction of writing could let a call look like another one.
    """
    return "".join(each if each.isprintable() or each in "\n\t" else json.dumps(each)[1:-1] for each in text)


def summary(request: InputRequest) -> str:
    """Return what is asked, in one sentence."""
    if request.kind == InputKind.INPUT_KIND_QUESTION:
        return f"The agent asks: {visible(request.question)}"
    call = f"{request.tool} {visible(request.arguments)}"
    if request.kind == InputKind.INPUT_KIND_UNCERTAIN:
        return f"Interrupted, and nobody knows whether it had its effect: {call}"
    return f"May it call {call} ?"


def remedy(request: InputRequest) -> str:
    """Return the commands that answer the request."""
    place = f"{request.run} {request.id}"
    if request.kind == InputKind.INPUT_KIND_QUESTION:
        return f"mesh runs answer {request.run} TEXT {request.id}"
    ways = [f"mesh runs approve {place}", f"mesh runs deny {place}"]
    if request.kind == InputKind.INPUT_KIND_UNCERTAIN:
        ways.append(f"mesh runs answer {request.run} TEXT {request.id}")
    return "\n  ".join(ways)


def show_request(request: InputRequest) -> None:
    """Print what is asked, for which step, and until when."""
    until = request.expire_time.ToDatetime().isoformat(" ", "minutes")
    err.print(summary(request), style="yellow")
    err.print(f"  {request.step}, {request.id}, counts as denied after {until} UTC", style="dim")


def answered(event: InputAnswered) -> str:
    """Return how a request was answered, and by whom."""
    if event.answer == InputAnswer.INPUT_ANSWER_EXPIRED:
        return "nobody answered in time"
    said = f"{event.user or 'somebody'} {_ANSWERS.get(event.answer, 'answered')}"
    return f"{said}: {event.text}" if event.text else said


def is_object(text: str) -> bool:
    """Tell whether the text is a JSON object, as a tool's arguments are."""
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(text), dict)
    return False
