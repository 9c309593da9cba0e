"""The same request twice does no more than once: `request_id`, as the contracts promise it.

Owns the table `idempotency`; a service creates it in its own schema with `TABLE`, copied into a migration. The effect
and its record commit in one transaction, so there is no moment at which one exists without the other.

    same id, same parameters   -> the first answer again, an error included, for 24 hours
    same id, other parameters  -> InvalidArgument REQUEST_ID_REUSED
    the first one still works  -> Aborted REQUEST_IN_PROGRESS
    it failed for a reason that may pass, or its request was wrong  -> nothing is kept, and it may be tried again
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from meshkit.errors import Aborted, InvalidArgument, MeshError
from meshkit.rpc.status import from_status, to_status
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["TABLE", "Effect", "RequestKey", "answer_of", "digest_of", "once", "purge"]

TABLE = """
CREATE TABLE idempotency (
  tenant text NOT NULL,
  method text NOT NULL,
  request_id text NOT NULL,
  digest bytea NOT NULL,
  answer bytea,
  error bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, method, request_id),
  CHECK ((answer IS NULL) <> (error IS NULL))
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
"""

_KEPT = "interval '24 hours'"

_FIND = f"""
SELECT digest, answer, error FROM idempotency
WHERE tenant = $1 AND method = $2 AND request_id = $3 AND created_at > now() - {_KEPT}
"""  # noqa: S608 - a constant

# A row that is older than 24 hours and not yet purged is as good as none.
_KEEP = """
INSERT INTO idempotency (tenant, method, request_id, digest, answer, error) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, method, request_id) DO UPDATE
SET digest = excluded.digest, answer = excluded.answer, error = excluded.error, created_at = now()
"""

_PURGE = f"""
DELETE FROM idempotency WHERE (tenant, method, request_id) IN (
  SELECT tenant, method, request_id FROM idempotency WHERE created_at <= now() - {_KEPT} LIMIT $1
)
"""  # noqa: S608 - a constant

Effect = Callable[[Connection], Awaitable[bytes]]
"""Does the work in the transaction given and returns the answer, serialized."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a request the same: tenant, method path and the caller's `request_id`."""

    tenant: str
    method: str
    request_id: str

    @property
    def lock(self) -> int:
        """The number of the advisory lock: 64 bits of the key's digest."""
        text = f"{self.tenant}\0{self.method}\0{self.request_id}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def digest_of(request: Message) -> bytes:
    """Return the digest of a request's parameters."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


async def once(pool: Pool, key: RequestKey, digest: bytes, effect: Effect) -> bytes:
    """Return the answer of the request, working at most once. Without a `request_id` it works each time.

    Raises what the effect raises, InvalidArgument and Aborted as the module says, and Unavailable.
    """
    failure: MeshError | None = None
    async with transaction(pool) as connection:
        if not key.request_id:
            return await effect(connection)
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", key.lock):
            raise Aborted(
                "the first call with this request_id is still at work", reason="REQUEST_IN_PROGRESS", retry_after=0.2
            )
        row = await connection.fetchrow(_FIND, key.tenant, key.method, key.request_id)
        if row is not None:
            return _replay(row["digest"], digest, row["answer"], row["error"])
        answer: bytes | None = None
        try:
            async with connection.transaction():  # a savepoint: a failed effect leaves nothing but its record
                answer = await effect(connection)
        except MeshError as error:
            if error.transient or isinstance(error, InvalidArgument):
                raise
            failure = error
        stored = to_status(failure).SerializeToString() if failure else None
        await connection.execute(_KEEP, key.tenant, key.method, key.request_id, digest, answer, stored)
    if failure is not None:
        raise failure
    assert answer is not None
    return answer


async def answer_of(pool: Pool, key: RequestKey, digest: bytes) -> bytes | None:
    """Return what the request was answered before, None if it was not: for work that cannot be in the transaction.

    `once` still decides. Raises the error that it was answered with, InvalidArgument as the module says, Unavailable.
    """
    if not key.request_id:
        return None
    with driver_errors():
        row = await pool.fetchrow(_FIND, key.tenant, key.method, key.request_id)
    return _replay(row["digest"], digest, row["answer"], row["error"]) if row else None


async def purge(pool: Pool, limit: int = 1000) -> int:
    """Delete at most `limit` records older than 24 hours; returns how many. Called now and then."""
    with driver_errors():
        done = await pool.execute(_PURGE, limit)
    return int(done.removeprefix("DELETE "))


def _replay(known: bytes, digest: bytes, answer: bytes | None, error: bytes | None) -> bytes:
    if known != digest:
        raise InvalidArgument(
            "this request_id was used for a request with other parameters",
            field="request_id",
            reason="REQUEST_ID_REUSED",
        )
    if error is not None:
        raise from_status(status_pb2.Status.FromString(error))
    assert answer is not None
    return answer
