"""What a model is told of a program that ran."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent_service.adapters.sandbox.box import Ran, SandboxRefusedError
from agent_service.adapters.tools.run_python import RunPython
from agent_service.domain.events import FileWritten
from agent_service.domain.tool import ToolAnswer, ToolError
from tests.unit.agent.tasks import tool_run

RAN = Ran(0, "", "", "", {}, ())


class Box:
    """Gives what a program is said to have brought."""

    def __init__(self, ran: Ran | Exception) -> None:
        self.ran = ran

    async def run(self, program: str, files: Mapping[str, bytes]) -> Ran:
        if isinstance(self.ran, Exception):
            raise self.ran
        return self.ran


class Shelf:
    """Files in a dictionary; it takes so many."""

    def __init__(self, files: Mapping[str, bytes], most: int = 10) -> None:
        self.files, self.most = dict(files), most

    async def read(self, name: str) -> bytes:
        return self.files[name]

    async def write(self, name: str, media_type: str, content: bytes) -> FileWritten:
        if len(self.files) >= self.most:
            raise ToolError("full")
        self.files[name] = content
        return FileWritten(name, media_type, len(content))

    async def list(self) -> Sequence[str]:
        return list(self.files)


async def told(ran: Ran | Exception, shelf: Shelf | None = None, **arguments: Any) -> ToolAnswer:
    box: Any = Box(ran)
    tool = RunPython(box, lambda _run: shelf or Shelf({}))
    return await tool.call({"code": "x", **arguments}, tool_run())


@pytest.mark.parametrize(
    ("ran", "words", "is_error"),
    [
        (RAN, "The program ended well and printed nothing.", False),
        (Ran(0, "", "a\n", "b\n", {}, ()), "The program ended well.\n\nIt printed:\na\n\n\nIts errors:\nb\n", False),
        (Ran(3, "", "", "", {}, ()), "The program failed with exit code 3.", True),
        (Ran(-9, "time", "", "", {}, ()), "The program was ended: it took longer than 20 s.", True),
        (Ran(-9, "memory", "", "", {}, ()), "The program was ended: it took more than 512 MiB of memory.", True),
        (Ran(-24, "", "", "", {}, ()), "The program was ended: it took more than 10 s of processor time.", True),
    ],
)
async def test_how_it_ended(ran: Ran, words: str, is_error: bool) -> None:
    answer = await told(ran)
    assert (answer.content, answer.is_error) == (words, is_error)


async def test_a_long_output_keeps_its_end() -> None:
    content = (await told(Ran(1, "", "y" * 60_000, "x" * 60_000 + "the cause", {}, ()))).content
    assert content.endswith("the cause")
    assert "46,009 characters were left out" in content
    assert len(content) < 32 * 1024


async def test_what_cannot_be_kept_is_told() -> None:
    ran = Ran(0, "", "", "", {"a.csv": b"1", "b.png": b"22", "c": b"3"}, ("large",))
    answer = await told(ran, Shelf({}, most=2))
    assert answer.files == (FileWritten("a.csv", "text/csv", 1), FileWritten("b.png", "image/png", 2))
    assert "Files written: a.csv (1 bytes), b.png (2 bytes)" in answer.content
    assert "'large' was left out: too large, one too many, or no file" in answer.content
    assert answer.content.endswith("'c' was left out: full")


async def test_what_is_refused() -> None:
    with pytest.raises(ToolError, match=r"Programs cannot be run here.*: unshare: no"):
        await told(SandboxRefusedError("unshare: no"))
    large = Shelf({f"f{n}": b"x" * 2 * 2**20 for n in range(9)})
    with pytest.raises(ToolError, match="Take some at a time"):
        await told(RAN, large, files=list(large.files))
    with pytest.raises(ToolError, match="`out` cannot be there"):
        await told(RAN, Shelf({"out": b""}), files=["out"])
    with pytest.raises(ToolError, match=r"Wrong arguments. files"):
        await told(RAN, files=["a"] * 17)
