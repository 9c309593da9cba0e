"""Asks the person at the keyboard what a run asks, and takes their answer.

Owns the prompts, which go to standard error: the answer of the agent alone goes to standard output.
"""

import sys

from agentmesh.orchestrator.v1.input_request_pb2 import InputKind, InputRequest
from agentmesh.orchestrator.v1.run_control_pb2 import Answer, Deny

from meshclient import Decision, approval
from meshctl.console import err
from meshctl.requests import is_object, show_request

__all__ = ["ask", "at_keyboard"]


def at_keyboard() -> bool:
    """Tell whether a person can be asked: both the keyboard and the screen are theirs."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(request: InputRequest) -> Decision:
    """Return the person's decision. Raises EOFError if they leave it open (Ctrl-D)."""
    show_request(request)
    if request.kind == InputKind.INPUT_KIND_QUESTION:
        return Answer(text=_text("answer (Ctrl-D: later): "))
    if request.kind == InputKind.INPUT_KIND_UNCERTAIN:
        return _about_uncertain(request)
    return _about_call(request)


def _about_call(request: InputRequest) -> Decision:
    while True:
        choice = _line("[y]es, [n]o, [e]dit the arguments (Ctrl-D: later): ")
        if choice in {"y", "yes"}:
            return approval(request)
        if choice in {"n", "no"}:
            return Deny(reason=_line("why (may be empty): "))
        if choice in {"e", "edit"}:
            arguments = _text("arguments, as a JSON object: ")
            if is_object(arguments):
                return approval(request, arguments)
            err.print("that is no JSON object", style="red")


def _about_uncertain(request: InputRequest) -> Decision:
    while True:
        choice = _line("[c]all it again, take it as [f]ailed, or [t]ell what it did (Ctrl-D: later): ")
        if choice in {"c", "call"}:
            return approval(request)
        if choice in {"f", "failed"}:
            return Deny(reason=_line("why (may be empty): "))
        if choice in {"t", "tell"}:
            return Answer(text=_text("what it did: "))


def _line(prompt: str) -> str:
    err.print(prompt, end="", style="yellow")
    return input().strip()


def _text(prompt: str) -> str:
    while not (text := _line(prompt)):
        pass
    return text
