"""Reads the text of a file. What needs a parser is parsed in a process of its own, with little memory and time.

Owns those limits: a file from outside may be made to keep a parser busy for ever, and must not keep the service busy.
The parsers are scripts beside this module: content on standard input, UTF-8 text on standard output; status 3 and a
message on standard error for a file that they refuse.
"""

import asyncio
import sys
from pathlib import Path

from meshkit.errors import InvalidArgument, ResourceExhausted

__all__ = ["FileReader"]

_SCRIPTS = {"text/html": "html_text.py", "application/pdf": "pdf_text.py"}
_SECONDS = 20.0
_MEMORY_BYTES = 1 << 30
_LIMITED = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY_BYTES}, {_MEMORY_BYTES}))
runpy.run_path(sys.argv[1], run_name="__main__")
"""
_AT_ONCE = 2
_WAITING = 8
_REFUSED = 3


class FileReader:
    """`domain.ports.Read`, for the media types of the contract."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def __call__(self, media_type: str, content: bytes) -> str:
        """Return the text. Raises InvalidArgument for what cannot be read, ResourceExhausted when too many wait."""
        if media_type not in _SCRIPTS:
            return _normal(content)
        if self._waiting >= _WAITING:
            raise ResourceExhausted("too many files are being read", retry_after=1.0)
        self._waiting += 1
        try:
            async with self._places:
                return _normal(await self._parsed(_SCRIPTS[media_type], content))
        finally:
            self._waiting -= 1

    async def _parsed(self, script: str, content: bytes) -> bytes:
        path = str(Path(__file__).with_name(script))
        # Isolated: it sees neither the environment, with the secrets in it, nor our modules.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", _LIMITED, path,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={},
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._seconds):
                text, message = await process.communicate(content)
        except TimeoutError:
            raise InvalidArgument("content takes too long to read", field="content") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return text
        reason = message.decode(errors="replace").strip() if process.returncode == _REFUSED else "it cannot be read"
        raise InvalidArgument(f"content is refused: {reason}", field="content")


def _normal(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument("content is not UTF-8", field="content") from None
    if "\0" in text:
        raise InvalidArgument("content holds a NUL, so it is no text", field="content")
    return text.replace("\r\n", "\n").replace("\r", "\n")
