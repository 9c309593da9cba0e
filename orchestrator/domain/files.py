"""Files of sessions: what callers bring and take, and what the agents of their runs read and make.

Owns the bounds of a session and who reaches its files: whoever sees the session, and the attempts at work in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from meshkit.context import CallContext
from meshkit.errors import InvalidArgument, ResourceExhausted
from meshkit.paging import Page, PageQuery
from orchestrator.domain.ledger import Attempt, StepName
from orchestrator.domain.steps import StepKind
from orchestrator.domain.storage import RequestKey
from orchestrator.domain.viewing import Viewer

__all__ = ["MAX_BYTES", "MAX_FILES", "File", "FileDraft", "FileStore", "Files", "check_room"]

MAX_FILES = 100
"""Of a session."""
MAX_BYTES = 32 * 1024 * 1024
"""Of all files of a session together."""


@dataclass(frozen=True, slots=True)
class FileDraft:
    """A file that somebody wants to store."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class File:
    """A file without its content. `digest` is the SHA-256; `run` made it, empty: a caller brought it."""

    name: str
    media_type: str
    size: int
    digest: bytes
    run: str
    create_time: datetime


class FileStore(Protocol):
    """Where files are. Of a session that the viewer does not see, all is NotFound.

    The verbs of attempts raise Aborted (ATTEMPT_SUPERSEDED) for one that is not, or no longer, at work.
    """

    async def create(self, key: RequestKey, viewer: Viewer, session: str, draft: FileDraft) -> File:
        """Store a file, once for the key. Raises NotFound, ResourceExhausted (SESSION_FULL)."""
        ...

    async def get(self, viewer: Viewer, session: str, name: str) -> tuple[File, bytes]:
        """Return a file and its content. Raises NotFound."""
        ...

    async def list(self, viewer: Viewer, session: str, after: str, limit: int) -> Sequence[File]:
        """Return files with names above `after`, by name. Raises NotFound."""
        ...

    async def delete(self, viewer: Viewer, session: str, name: str) -> None:
        """Delete a file. Raises NotFound."""
        ...

    async def put(self, attempt: Attempt, step: StepName, draft: FileDraft) -> File:
        """Store a file as the work of a step. Raises NotFound for one that is not under way, ResourceExhausted."""
        ...

    async def read(self, attempt: Attempt, name: str) -> tuple[File, bytes]:
        """Return a file of the run's session and its content. Raises NotFound."""
        ...

    async def find(self, attempt: Attempt, limit: int) -> Sequence[File]:
        """Return the files of the run's session by name."""
        ...


class Files:
    """The verbs on files."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def create(self, caller: CallContext, key: RequestKey, session: str, draft: FileDraft) -> File:
        """Store a file; one of the same name is replaced. Raises NotFound, ResourceExhausted (SESSION_FULL)."""
        return await self._store.create(key, Viewer.of(caller), session, draft)

    async def get(self, caller: CallContext, session: str, name: str) -> tuple[File, bytes]:
        """Return a file and its content. Raises NotFound."""
        return await self._store.get(Viewer.of(caller), session, name)

    async def list(self, caller: CallContext, session: str, size: int, token: str) -> Page[File]:
        """Return a page of the session's files, by name. Raises NotFound."""
        pages = PageQuery("ListFiles", caller.tenant, {"session": session})
        cursor = pages.cursor(token, str)
        rows = await self._store.list(Viewer.of(caller), session, str(cursor[0]) if cursor else "", size + 1)
        return pages.page(rows, size, lambda file: (file.name,))

    async def delete(self, caller: CallContext, session: str, name: str) -> None:
        """Delete a file. Raises NotFound."""
        await self._store.delete(Viewer.of(caller), session, name)

    async def put(self, attempt: Attempt, step: StepName, draft: FileDraft) -> File:
        """Store a file as the work of a tool step under way. Raises Aborted, NotFound, ResourceExhausted."""
        if step.kind is not StepKind.TOOL:
            raise InvalidArgument("only tools make files", field="step")
        return await self._store.put(attempt, step, draft)

    async def read(self, attempt: Attempt, name: str) -> tuple[File, bytes]:
        """Return a file of the run's session and its content. Raises Aborted, NotFound."""
        return await self._store.read(attempt, name)

    async def find(self, attempt: Attempt) -> Sequence[File]:
        """Return all files of the run's session by name. Raises Aborted."""
        return await self._store.find(attempt, MAX_FILES)


def check_room(files: int, size: int) -> None:
    """Raise ResourceExhausted (SESSION_FULL) if a session may not hold so many files, or so many bytes of them."""
    if files > MAX_FILES:
        raise ResourceExhausted(f"a session holds at most {MAX_FILES} files", reason="SESSION_FULL")
    if size > MAX_BYTES:
        raise ResourceExhausted(f"the files of a session have at most {MAX_BYTES:,} bytes", reason="SESSION_FULL")
