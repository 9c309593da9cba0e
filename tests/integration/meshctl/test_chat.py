"""A conversation at a terminal: what the agent asks is asked there, and the answer goes to the mesh."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import grpc
import pytest
from agentmesh.agent.v1.activity_pb2 import TokenDelta
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_service_pb2 import CancelRunRequest

from tests.e2e.running import ROOT
from tests.fakes.run_service import ScriptedRuns, asks, state

CTRL_C, CTRL_D = "\x03", "\x04"
PROGRAM = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("meshctl", run_name="__main__")
"""
"""`mesh` on the terminal of its standard input: without the call, Ctrl-C there would reach nobody."""
DONE = (state("RUNNING"), RunEvent(step="model-3", token_delta=TokenDelta(text="All done.")), state("SUCCEEDED"))


class Keyboard:
    """A person at a terminal, who reads before they type."""

    def __init__(self, runs: ScriptedRuns, *arguments: str) -> None:
        self._screen, theirs = pty.openpty()
        self._shown = ""
        environ = {
            "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'gen/python'}", "TERM": "dumb",
            "MESH_ADDRESS": runs.address, "MESH_TOKEN": "token",
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def read(self, text: str) -> str:
        """Return what was shown up to and with the text, since the last time."""
        deadline = time.monotonic() + 20
        while text not in self._shown:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"“{text}” was not shown, but: {self._shown}"
            try:
                piece = os.read(self._screen, 4096)
            except OSError:  # the program has ended, and with it the terminal
                piece = b""
            assert piece, f"it ended without “{text}”: {self._shown}"
            self._shown += re.sub(r"\x1b\[[0-9;]*m", "", piece.decode(errors="replace"))
        seen, _, self._shown = self._shown.partition(text)
        return seen + text

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def ends(self) -> int:
        """Return the exit code, once what is left was read."""
        try:
            while piece := os.read(self._screen, 4096):
                self._shown += piece.decode(errors="replace")
        except OSError:
            pass
        return self._process.wait(timeout=20)


@pytest.fixture
def chat(runs: ScriptedRuns) -> Iterator[Keyboard]:
    """A chat whose run asks whether it may call a tool."""
    runs.happen(state("RUNNING"), asks("req_1"), state("WAITING"))
    runs.after_answer = list(DONE)
    with Keyboard(runs, "chat", "list the files") as keyboard:
        shown = keyboard.read("[y]es, [n]o, [e]dit")
        assert 'May it call shell {"command": "ls"} ?' in shown
        keyboard.read("later): ")
        yield keyboard


def test_a_call_is_approved(runs: ScriptedRuns, chat: Keyboard) -> None:
    chat.type("what?\n")
    chat.read("later): ")
    chat.type("y\n")
    chat.read("All done.")
    assert chat.ends() == 0
    assert runs.calls[1].approve.arguments_digest == "ab" * 32
    assert len(runs.calls) == 2


def test_a_call_is_refused_with_a_reason(runs: ScriptedRuns, chat: Keyboard) -> None:
    chat.type("n\n")
    chat.read("why (may be empty): ")
    chat.type("not today\n")
    chat.read("All done.")
    assert chat.ends() == 0
    assert runs.calls[1].deny.reason == "not today"


def test_arguments_are_edited(runs: ScriptedRuns, chat: Keyboard) -> None:
    chat.type("e\n")
    chat.read("arguments, as a JSON object: ")
    chat.type("pwd\n")
    chat.read("that is no JSON object")
    chat.read("later): ")
    chat.type("e\n")
    chat.read("arguments, as a JSON object: ")
    chat.type('{"command": "pwd"}\n')
    chat.read("All done.")
    assert chat.ends() == 0
    assert runs.calls[1].approve.edited_arguments == '{"command": "pwd"}'


def test_a_refused_answer_is_asked_for_again(runs: ScriptedRuns, chat: Keyboard) -> None:
    runs.refuse_answer = (grpc.StatusCode.INVALID_ARGUMENT, "the tool takes no such argument")
    chat.type("y\n")
    chat.read("the tool takes no such argument")
    chat.read("later): ")
    chat.type("y\n")
    chat.read("All done.")
    assert chat.ends() == 0


def test_a_request_that_somebody_else_answered_is_left_alone(runs: ScriptedRuns, chat: Keyboard) -> None:
    runs.refuse_answer = (grpc.StatusCode.FAILED_PRECONDITION, "it was answered")
    chat.type("y\n")
    chat.read("it was answered")
    runs.happen(*DONE)
    chat.read("All done.")
    assert chat.ends() == 0


def test_ctrl_d_leaves_it_open(runs: ScriptedRuns, chat: Keyboard) -> None:
    chat.type(CTRL_D)
    chat.read("mesh runs approve run_1 req_1")
    assert chat.ends() == 6
    assert len(runs.calls) == 1


def test_ctrl_c_cancels_while_it_asks(runs: ScriptedRuns, chat: Keyboard) -> None:
    chat.type(CTRL_C)
    assert chat.ends() == 130
    assert runs.calls[1] == CancelRunRequest(run="run_1")


def test_several_requests_are_asked_one_by_one(runs: ScriptedRuns) -> None:
    question = asks("req_2", "QUESTION", tool="ask_user", question="Which folder?")
    runs.happen(state("RUNNING"), asks("req_1"), question, state("WAITING"))
    runs.after_answer = list(DONE)
    with Keyboard(runs, "chat", "list the files") as keyboard:
        keyboard.read("later): ")
        keyboard.type("y\n")
        keyboard.read("The agent asks: Which folder?")
        keyboard.read("answer (Ctrl-D: later): ")
        keyboard.type("the first one\n")
        keyboard.read("All done.")
        assert keyboard.ends() == 0
    assert [each.input_request for each in runs.calls[1:]] == ["req_1", "req_2"]
    assert runs.calls[2].answer.text == "the first one"


def test_what_an_interrupted_tool_did_is_told(runs: ScriptedRuns) -> None:
    runs.happen(state("RUNNING"), asks("req_1", "UNCERTAIN"), state("WAITING"))
    runs.after_answer = list(DONE)
    with Keyboard(runs, "chat", "list the files") as keyboard:
        assert "nobody knows whether it had its effect" in keyboard.read("[t]ell what it did")
        keyboard.type("t\n")
        keyboard.read("what it did: ")
        keyboard.type("it listed them\n")
        keyboard.read("All done.")
        assert keyboard.ends() == 0
    assert runs.calls[1].answer.text == "it listed them"


def test_a_conversation_goes_on_after_an_open_request(runs: ScriptedRuns) -> None:
    runs.happen(state("RUNNING"), asks("req_1"), state("WAITING"))
    with Keyboard(runs, "chat") as keyboard:
        keyboard.read("> ")
        keyboard.type("list the files\n")
        keyboard.read("later): ")
        keyboard.type(CTRL_D)
        keyboard.read("session ses_1")
        keyboard.read("> ")
        keyboard.type("and now\n")
        keyboard.read("later): ")
        keyboard.type("y\n")
        runs.happen(*DONE)
        keyboard.read("All done.")
        keyboard.read("> ")
        keyboard.type(CTRL_D)
        assert keyboard.ends() == 0
    assert runs.calls[1].session == "ses_1"
