"""The port to the files of a session: what tools read, and where they leave what they make."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from agent_service.domain.events import FileWritten
from agent_service.domain.tool import ToolRun

__all__ = ["FILE_NAME", "MAX_FILE_BYTES", "Files", "OpenFiles"]

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}\Z")
"""What a file may be called."""

MAX_FILE_BYTES = 2 * 1024 * 1024


class Files(Protocol):
    """The files of one run's session, as one tool call reaches them.

    What the model did wrong is ToolError, with words for it. All raise MeshError: Unavailable when the files cannot be
    reached, Aborted for an attempt that is over.
    """

    async def read(self, name: str) -> bytes:
        """Return a file's content. Raises ToolError if there is none of that name."""
        ...

    async def write(self, name: str, media_type: str, content: bytes) -> FileWritten:
        """Store a file; one of the same name is replaced. Raises ToolError for a bad name, too much, a full session."""
        ...

    async def list(self) -> Sequence[str]:
        """Return the names of all files, in order."""
        ...


OpenFiles = Callable[[ToolRun], Files]
"""Gives a tool call the files of its run's session."""
