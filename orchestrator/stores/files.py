"""Files in Postgres. A session's row is locked while one of its files is stored, so that its bounds hold."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from meshkit.errors import NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction
from orchestrator.domain.files import File, FileDraft, check_room
from orchestrator.domain.gate import superseded
from orchestrator.domain.ledger import Attempt, StepName
from orchestrator.domain.storage import RequestKey
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.rows import request_of
from orchestrator.stores.sessions import find_session

__all__ = ["PostgresFiles", "copy_files"]

# Runs may be added meanwhile; the session may not go.
_LOCK = "select from session where id = $1 for no key update"

_HELD = "select count(*) as files, coalesce(sum(size), 0) as size from file where session = $1 and name <> $2"

# A blob that is there becomes young again: it must not be swept up before the file that names it is committed.
_STORE = """
with kept as (
    insert into blob (tenant, digest, content) values ($3, $6, $7)
    on conflict (tenant, digest) do update set create_time = now()
)
insert into file (session, name, tenant, media_type, size, digest, run) values ($1, $2, $3, $4, $5, $6, $8)
on conflict (session, name) do update set media_type = excluded.media_type, size = excluded.size,
    digest = excluded.digest, run = excluded.run, create_time = now()
returning *
"""

_READ = """
select file.*, blob.content from file join blob using (tenant, digest) where session = $1 and file.name = $2
"""

_LIST = "select * from file where session = $1 and name > $2 order by name limit $3"

_AT_WORK = """
select session, tenant from run
where id = $1 and tenant = $2 and attempt = $3 and not suspended and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
"""

_UNDER_WAY = """
select from step where run = $1 and number = $2 and kind = 'TOOL' and state = 'STARTED' and attempt = $3
"""

_COPY = """
insert into file (session, name, tenant, media_type, size, digest, run, create_time)
select $2, name, tenant, media_type, size, digest, run, create_time from file where session = $1
"""


async def copy_files(connection: Connection, source: str, target: str) -> None:
    """Give a new session the files of another one of its tenant."""
    await connection.execute(_COPY, source, target)


class PostgresFiles:
    """`domain.files.FileStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, key: RequestKey, viewer: Viewer, session: str, draft: FileDraft) -> File:
        """Store a file, once for the key."""

        async def effect(connection: Connection) -> bytes:
            home = await find_session(connection, viewer, session)
            return _to_bytes(await _store(connection, home.id, home.tenant, draft))

        return _from_bytes(await idempotency.once(self._pool, request_of(key), key.digest, effect))

    async def get(self, viewer: Viewer, session: str, name: str) -> tuple[File, bytes]:
        """Return a file and its content."""
        with driver_errors():
            await find_session(self._pool, viewer, session)
            return await _read(self._pool, session, name)

    async def list(self, viewer: Viewer, session: str, after: str, limit: int) -> Sequence[File]:
        """Return files by name."""
        with driver_errors():
            await find_session(self._pool, viewer, session)
            rows = await self._pool.fetch(_LIST, session, after, limit)
        return [_file_of(row) for row in rows]

    async def delete(self, viewer: Viewer, session: str, name: str) -> None:
        """Delete a file."""
        with driver_errors():
            await find_session(self._pool, viewer, session)
            done = await self._pool.execute("delete from file where session = $1 and name = $2", session, name)
        if done == "DELETE 0":
            raise NotFound("no such file")

    async def put(self, attempt: Attempt, step: StepName, draft: FileDraft) -> File:
        """Store a file as the work of a step."""
        async with transaction(self._pool) as connection:
            # Locked: an attempt that is superseded meanwhile has written before that, or not at all.
            run = await connection.fetchrow(f"{_AT_WORK} for share", attempt.run, attempt.tenant, attempt.number)
            if run is None:
                raise superseded()
            if await connection.fetchrow(_UNDER_WAY, attempt.run, step.number, attempt.number) is None:
                raise NotFound("this attempt is not at work on such a step")
            return await _store(connection, run["session"], run["tenant"], draft, attempt.run)

    async def read(self, attempt: Attempt, name: str) -> tuple[File, bytes]:
        """Return a file of the run's session and its content."""
        with driver_errors():
            return await _read(self._pool, await self._session_of(attempt), name)

    async def find(self, attempt: Attempt, limit: int) -> Sequence[File]:
        """Return the files of the run's session."""
        with driver_errors():
            rows = await self._pool.fetch(_LIST, await self._session_of(attempt), "", limit)
        return [_file_of(row) for row in rows]

    async def _session_of(self, attempt: Attempt) -> str:
        run = await self._pool.fetchrow(_AT_WORK, attempt.run, attempt.tenant, attempt.number)
        if run is None:
            raise superseded()
        return str(run["session"])


async def _store(connection: Connection, session: str, tenant: str, draft: FileDraft, run: str = "") -> File:
    if await connection.fetchrow(_LOCK, session) is None:
        raise NotFound("no such session")
    held, size = await connection.fetchrow(_HELD, session, draft.name), len(draft.content)
    assert held is not None
    check_room(held["files"] + 1, held["size"] + size)
    digest = hashlib.sha256(draft.content).digest()
    row = await connection.fetchrow(
        _STORE, session, draft.name, tenant, draft.media_type, size, digest, draft.content, run
    )
    return _file_of(row)


async def _read(pool: Pool, session: str, name: str) -> tuple[File, bytes]:
    row = await pool.fetchrow(_READ, session, name)
    if row is None:
        raise NotFound("no such file")
    return _file_of(row), row["content"]


def _file_of(row: Any) -> File:
    return File(row["name"], row["media_type"], row["size"], row["digest"], row["run"], row["create_time"])


def _to_bytes(file: File) -> bytes:
    values = {
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "digest": file.digest.hex(),
        "run": file.run,
        "create_time": file.create_time.isoformat(),
    }
    return json.dumps(values).encode()


def _from_bytes(data: bytes) -> File:
    values = json.loads(data)
    digest, time = bytes.fromhex(values["digest"]), datetime.fromisoformat(values["create_time"])
    return _file_of({**values, "digest": digest, "create_time": time})
