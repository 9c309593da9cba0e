"""A child process: what it inherits, how it ends, and that it never outlives its parent."""

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from meshctl.embedded.process import Account, Child, spawn, until_ready
from meshkit.errors import Unavailable
from tests.integration.embedded.processes import gone

PYTHON = sys.executable
SHOW = """
import json, os
files = sorted(map(int, os.listdir("/proc/self/fd")))
print(json.dumps({"env": dict(os.environ), "uid": os.getuid(), "groups": os.getgroups(), "pid": os.getpid(),
                  "session": os.getsid(0), "cwd": os.getcwd(), "files": files}))
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


def start(code: str, log: Path, **options: object) -> Child:
    return spawn([PYTHON, "-S", "-c", code], env={"WORD": "x"}, cwd=Path("/"), log=log, **options)  # type: ignore[arg-type]


async def printed(child: Child, text: str) -> None:
    async def seen() -> bool:
        return text in child.log.read_text()

    await until_ready(child, "child", seen, patience=20)


async def test_it_gets_its_own_session_and_only_the_given_environment(tmp_path: Path) -> None:
    child = start(SHOW, tmp_path / "log")
    assert await child.wait() == 0
    facts = json.loads((tmp_path / "log").read_text())
    assert {name: value for name, value in facts["env"].items() if name != "LC_CTYPE"} == {"WORD": "x"}
    assert facts["pid"] == child.pid == facts["session"]
    assert facts["cwd"] == "/"
    assert len(facts["files"]) == 4  # input, output, errors, and the listing itself


async def test_no_signal_is_ignored_that_the_program_did_not_ignore_itself(tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have had it ignored
    child = spawn(["/bin/grep", "SigIgn", "/proc/self/status"], env={}, cwd=Path("/"), log=tmp_path / "log")
    assert await child.wait() == 0
    assert child.log.read_text().split() == ["SigIgn:", "0" * 16]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_root_can_start_it_as_another_user(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    # A program that everybody may run: the tests' own Python may lie in a closed directory.
    child = spawn(
        ["/bin/sh", "-c", "id -u; id -g; id -G"],
        env={"PATH": "/usr/bin:/bin"},
        cwd=Path("/"),
        log=tmp_path / "log",
        account=Account(nobody.pw_uid, nobody.pw_gid),
    )
    assert await child.wait() == 0
    assert (tmp_path / "log").read_text().split() == [str(nobody.pw_uid), str(nobody.pw_gid), str(nobody.pw_gid)]


async def test_a_program_that_does_not_exist_ends_with_a_reason(tmp_path: Path) -> None:
    child = spawn(["/nowhere/program"], env={}, cwd=Path("/"), log=tmp_path / "log")
    assert await child.wait() > 0
    assert "/nowhere/program: No such file" in child.log.read_text()


async def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    child = start(STUBBORN, tmp_path / "log")
    await printed(child, "deaf")
    assert await child.stop(timeout=0.2) == -signal.SIGKILL
    assert await child.stop() == -signal.SIGKILL  # once more changes nothing


async def test_several_may_wait_for_one_child(tmp_path: Path) -> None:
    child = start("import signal; signal.pause()", tmp_path / "log")
    waiting = [asyncio.create_task(child.wait()) for _ in range(3)]
    await child.stop()
    assert await asyncio.gather(*waiting) == [-signal.SIGTERM] * 3


async def test_a_child_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    child = start("raise SystemExit('no such thing')", tmp_path / "log")

    async def never() -> bool:
        return False

    with pytest.raises(Unavailable, match="no such thing"):
        await until_ready(child, "The program", never)


async def test_a_child_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    child = start("import signal; signal.pause()", tmp_path / "log")

    async def never() -> bool:
        return False

    with pytest.raises(Unavailable, match="not ready within"):
        await until_ready(child, "The program", never, patience=0.1)
    assert not child.running


async def test_only_the_main_thread_may_start_one(tmp_path: Path) -> None:
    caught: list[RuntimeError] = []

    def attempt() -> None:
        try:
            start("pass", tmp_path / "log")
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(caught) == 1


PARENT = """
import sys
from pathlib import Path
from meshctl.embedded.process import Account, spawn
account = Account(65534, 65534) if sys.argv[2] == "nobody" else None
child = spawn(["/bin/sleep", "infinity"], env={}, cwd=Path("/"), log=Path(sys.argv[1]), account=account)
while not Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"/bin/sleep"):
    assert child.running, Path(sys.argv[1]).read_text()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("account", ["self", "nobody"])
def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path, account: str) -> None:
    if account == "nobody" and os.geteuid() != 0:
        pytest.skip("only root may become another user")
    argv = [PYTHON, "-c", PARENT, str(tmp_path / "log"), account]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid, within=0)
        parent.kill()
        assert gone(pid, within=5)


def test_it_does_not_start_when_its_parent_is_gone_already(tmp_path: Path) -> None:
    launcher = Path(spawn.__code__.co_filename).with_name("launch.py")
    not_the_parent = str(os.getppid())
    argv = [PYTHON, "-I", "-S", str(launcher), not_the_parent, "15", "-", "/bin/touch", str(tmp_path / "made")]
    assert subprocess.run(argv, check=False, capture_output=True).returncode != 0
    assert not (tmp_path / "made").exists()
