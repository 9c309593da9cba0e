"""What `mesh doctor` looks at: each check is one function that returns what it found and what to do.

Owns the checks. They change nothing and need no running mesh; with one, they ask it too.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from meshctl.embedded.kept import port_is_free
from meshctl.embedded.wheels import envoy_program, postgres_programs, valkey_program
from meshctl.environments import ENVIRONMENTS, LOCKS, installed
from meshctl.health import answers
from meshctl.state import State
from meshkit.errors import MeshError

__all__ = ["Finding", "examine"]

_LEAST_FREE_GB = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `words` say how it is and, unless it is good, what to do."""

    what: str
    verdict: Literal["good", "note", "bad"]
    words: str


async def examine(state: State, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Return all findings, in the order in which a mesh needs the things."""
    findings = [_python(), *_environments(), *_programs(), _disk(state)]
    findings += [await _database(environ), await _redis(environ), await _model(environ)]
    return findings + await _mesh(state)


def _python() -> Finding:
    return Finding("python", "good", sys.version.split()[0])


def _environments() -> list[Finding]:
    if not LOCKS.exists():
        return [Finding("environments", "note", "installed without a checkout: up, test, lint and gen need one")]
    return [
        Finding(f"environment {name}", "good", "as its lock says")
        if installed(name)
        else Finding(f"environment {name}", "note", "not made, or its lock has changed; it is made when it is needed")
        for name in ENVIRONMENTS
    ]


def _programs() -> list[Finding]:
    findings = []
    for name, find in (("postgres", postgres_programs), ("valkey", valkey_program), ("envoy", envoy_program)):
        try:
            find()
            findings.append(Finding(f"program {name}", "good", "is there"))
        except MeshError as error:
            findings.append(Finding(f"program {name}", "bad", error.message))
    return findings


def _disk(state: State) -> Finding:
    place = next(path for path in (state.root, *state.root.parents) if path.exists())
    free = shutil.disk_usage(place).free / 1e9
    if free < _LEAST_FREE_GB:
        return Finding("disk", "bad", f"{free:.1f} GB free; make room, Postgres stops when there is none")
    return Finding("disk", "good", f"{free:.0f} GB free")


async def _database(environ: Mapping[str, str]) -> Finding:
    url = environ.get("DATABASE_URL")
    if not url:
        return Finding("postgres", "good", "embedded; set DATABASE_URL for a server of yours")
    try:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            number = connection.get_server_version().major
            vector = await connection.fetchval(
                "select exists (select from pg_available_extensions where name = 'vector')"
            )
        finally:
            await connection.close()
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding("postgres", "bad", f"DATABASE_URL: {type(error).__name__}; check address, password and database")
    if number < 15 or not vector:
        return Finding("postgres", "bad", f"version {number}, pgvector {vector}; 15 or later with pgvector is needed")
    return Finding("postgres", "good", f"version {number} with pgvector")


async def _redis(environ: Mapping[str, str]) -> Finding:
    url = environ.get("REDIS_URL")
    if not url:
        return Finding("redis", "good", "embedded; set REDIS_URL for a server of yours")
    try:
        client = Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
        try:
            await client.ping()
        finally:
            await client.aclose()
    except (OSError, ValueError, RedisError) as error:
        return Finding("redis", "bad", f"REDIS_URL: {type(error).__name__}; check address and password")
    return Finding("redis", "good", "answers")


async def _model(environ: Mapping[str, str]) -> Finding:
    url = environ.get("MESH_MODEL_URL")
    if not url:
        return Finding(
            "model", "note", "built-in rules, no language model; set MESH_MODEL_URL, MESH_MODEL, MESH_MODEL_KEY"
        )
    headers = {"authorization": f"Bearer {environ['MESH_MODEL_KEY']}"} if environ.get("MESH_MODEL_KEY") else {}
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.get(f"{url.rstrip('/')}/models", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding("model", "bad", f"MESH_MODEL_URL: {type(error).__name__}; is the model server running?")
    if answer.status_code in (401, 403):
        return Finding("model", "bad", f"it refuses the key (HTTP {answer.status_code}); check MESH_MODEL_KEY")
    if answer.is_error:
        return Finding("model", "note", f"{url}/models answers HTTP {answer.status_code}; some servers lack it")
    return Finding("model", "good", "answers")


async def _mesh(state: State) -> list[Finding]:
    try:
        content = state.read_run_file()
    except MeshError:
        if port_is_free(8080):
            return [Finding("mesh", "note", "not running; start it with ./mesh up")]
        return [Finding("mesh", "note", "not running, and port 8080 is taken: ./mesh up will choose another")]
    findings = []
    for part in content.parts:
        if await answers(part.name, part.address):
            findings.append(Finding(f"part {part.name}", "good", f"answers on {part.address}"))
        else:
            log = state.logs / f"{part.name}.log"
            findings.append(Finding(f"part {part.name}", "bad", f"does not answer on {part.address}; see {log}"))
    return findings
