"""The tool `run_python`: runs a program in the sandbox, with files of the conversation in and out."""

import mimetypes
import platform
import signal
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from agent_service.adapters.sandbox.box import Ran, Sandbox, SandboxRefusedError
from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.domain.events import FileWritten
from agent_service.domain.files import Files, OpenFiles
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["RunPython"]

_MAX_CODE = 64 * 1024
_MAX_FILES, _MAX_FILES_BYTES = 16, 16 * 1024 * 1024
_SHOWN = 14_000  # characters of each stream, so that both and the files fit into one answer


class _Arguments(Arguments):
    code: str = Field(min_length=1, max_length=_MAX_CODE, description="The program. Print what you want to know.")
    files: tuple[str, ...] = Field(
        default=(),
        max_length=_MAX_FILES,
        description="Names of files of this conversation that the program reads; they lie in its working folder.",
    )


class RunPython:
    """Runs programs."""

    name = "run_python"
    description = (
        f"Runs a Python {'.'.join(platform.python_version_tuple()[:2])} program with the standard library alone and "
        "returns what it prints. No network, no other packages; 10 s of processor time, 512 MiB of memory. Nothing is "
        "kept between programs but the files that it leaves in the folder `out`: at most 8, of 2 MiB each, which "
        "become files of this conversation."
    )
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 60.0  # a program has 20 s; before that it may wait for others to end
    repeatable = True
    writes_memory = False

    def __init__(self, sandbox: Sandbox, files: OpenFiles) -> None:
        self._sandbox, self._files = sandbox, files

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Run the program; its effects are files, which another try of the step replaces."""
        wanted, files = check(_Arguments, arguments), self._files(run)
        given = {name: await files.read(name) for name in dict.fromkeys(wanted.files)}
        if sum(map(len, given.values())) > _MAX_FILES_BYTES:
            raise ToolError(f"The files have more than {_MAX_FILES_BYTES:,} bytes together. Take some at a time.")
        if "out" in given:
            raise ToolError("The file `out` cannot be there: so is called the folder for what the program writes.")
        try:
            ran = await self._sandbox.run(wanted.code, given)
        except SandboxRefusedError as refused:
            raise ToolError(f"Programs cannot be run here, and trying again will not help: {refused}.") from None
        written, trouble = await _stored(ran, files)
        return ToolAnswer(_told(ran, written, trouble), is_error=ran.exit_code != 0, files=tuple(written))


async def _stored(ran: Ran, files: Files) -> tuple[list[FileWritten], list[str]]:
    """Store what the program made. Returns what is stored, and what the model has to know of the rest."""
    written: list[FileWritten] = []
    trouble = [f"{name!r} was left out: too large, one too many, or no file" for name in ran.left_out]
    for name, content in ran.files.items():
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        try:
            written.append(await files.write(name, media_type, content))
        except ToolError as error:
            trouble.append(f"{name!r} was left out: {error}")
    return written, trouble


def _told(ran: Ran, written: list[FileWritten], trouble: list[str]) -> str:
    parts = [_ending(ran)]
    for title, text in (("It printed", ran.stdout), ("Its errors", ran.stderr)):
        if text:
            parts.append(f"{title}:\n{_shortened(text)}")
    if written:
        parts.append("Files written: " + ", ".join(f"{file.name} ({file.size:,} bytes)" for file in written))
    return "\n\n".join(parts + trouble)


def _ending(ran: Ran) -> str:
    if ran.stopped == "time":
        return "The program was ended: it took longer than 20 s."
    if ran.stopped == "memory":
        return "The program was ended: it took more than 512 MiB of memory."
    if ran.exit_code == -signal.SIGXCPU:
        return "The program was ended: it took more than 10 s of processor time."
    if ran.exit_code:
        return f"The program failed with exit code {ran.exit_code}."
    return "The program ended well." if ran.stdout or ran.stderr else "The program ended well and printed nothing."


def _shortened(text: str) -> str:
    """Return the text, without its middle if it is long: errors are told at the end."""
    if len(text) <= _SHOWN:
        return text
    half = _SHOWN // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters were left out]\n{text[-half:]}"
