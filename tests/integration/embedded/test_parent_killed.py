"""A killed `mesh up` takes its stores with it, and the next one finds every byte that was acknowledged."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from tests.integration.embedded.processes import gone, inside

PARENT = Path(__file__).with_name("parent.py")


@contextmanager
def parent_of_stores(state: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    argv = [sys.executable, str(PARENT), str(state)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."}) as parent:
        assert parent.stdout is not None
        facts: dict[str, Any] = {"pids": []}
        try:
            facts = json.loads(parent.stdout.readline())
            yield parent, facts
        finally:
            parent.kill()
            assert all(gone(pid, within=10) for pid in facts["pids"])


async def test_both_stores_end_with_a_killed_parent_and_keep_their_data(state: Path) -> None:
    with parent_of_stores(state) as (parent, facts):
        idle = await asyncpg.connect(facts["postgres"])  # a client that stays connected must not hold the server up
        await idle.execute("create table kept as select 42 as answer")
        async with Redis.from_url(facts["valkey"]) as client:
            await client.set("kept", "42")
        parent.kill()
        for pid in facts["pids"]:
            assert gone(pid, within=10)
        assert not inside(Path(facts["data"]))  # nor any of the server's own children
        idle.terminate()
    with parent_of_stores(state) as (_, again):  # at once, without any cleaning up
        assert again["postgres"] == facts["postgres"]
        connection = await asyncpg.connect(again["postgres"])
        assert await connection.fetchval("select answer from kept") == 42
        await connection.close()
        async with Redis.from_url(again["valkey"]) as client:
            assert await client.get("kept") == b"42"


def test_a_parent_killed_while_it_starts_leaves_nothing_that_blocks(state: Path) -> None:
    argv = [sys.executable, str(PARENT), str(state)]
    log = state / "logs" / "postgres.log"
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."}) as first:
        while not (log.exists() and "running bootstrap script" in log.read_text()):
            assert first.poll() is None
        first.kill()
    with parent_of_stores(state) as (_, facts):
        assert len(inside(Path(facts["data"]))) > 1
