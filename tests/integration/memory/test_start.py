"""How the service starts: with what it needs missing, with what it can do without missing, and what it then says."""

import os
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from memory_service.config import load_config
from meshctl.embedded.postgres import Postgres
from meshkit.config import ConfigError
from meshkit.rpc.channel import open_channel
from tests.integration.memory.conftest import Mesh, until


async def test_a_database_without_pgvector_is_told_with_the_remedy(mesh: Mesh, postgres: Postgres) -> None:
    admin = await asyncpg.connect(postgres.admin_url)
    try:
        await admin.execute("CREATE DATABASE bare TEMPLATE template0 OWNER mesh")
        with pytest.raises(ConfigError, match="CREATE EXTENSION vector"):
            await mesh.serve(database_url=postgres.url.rpartition("/")[0] + "/bare?sslmode=disable")
    finally:
        await admin.execute("DROP DATABASE bare WITH (FORCE)")
        await admin.close()


async def test_a_folder_that_cannot_be_used_is_told(mesh: Mesh, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="MESH_CACHE_DIR"):
        await mesh.serve(cache_dir=tmp_path / "file" / "cache")


def test_what_is_not_configured_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"(?s)  DATABASE_URL is not set.*  REDIS_URL is not set"):
        load_config()
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("REDIS_URL", "redis://host")
    monkeypatch.setenv("MESH_EMBEDDINGS_URL", "http://host/v1")
    with pytest.raises(ConfigError, match="MESH_EMBEDDINGS_MODEL") as caught:
        load_config()
    assert "secret" not in str(caught.value)


def test_no_thread_of_numpy_waits_by_spinning() -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}; import memory_service.__main__; "
    code += "from numpy import ones; ones((512, 512)) @ ones((512, 512)); "
    code += "import os; print(len(os.listdir('/proc/self/task')))"
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1"]


async def test_without_redis_and_vectors_it_serves_by_words(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve(redis_url="redis://127.0.0.1:1/0", qdrant_url="http://127.0.0.1:1")
    async with open_channel(server.address, {}) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    ada = await mesh.client(server, tenant=tenant)
    await ada.say("My name is Ada", session="one")
    started = time.monotonic()
    context = await ada.recall("name", session="two")
    assert time.monotonic() - started <= 0.8
    assert context.degraded
    assert [item.interaction.input for item in context.items] == ["My name is Ada"]
    # The index is another one now: with it, everything is found by meaning too.
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await until(lambda: ada.recall("how am I called"), lambda answer: bool(answer.items) and not answer.degraded)
