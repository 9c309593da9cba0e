"""What a program in the sandbox can do, and what it cannot: real processes on this kernel."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_service.adapters.sandbox.box import Ran, Sandbox, SandboxRefusedError
from tests.integration.agent.processes import descendants, until_gone, until_there_are

ROOT = Path(__file__).resolve().parents[3]
SECRET = "sk-canary-in-the-environment"


async def run(program: str, **files: bytes) -> Ran:
    return await Sandbox().run(program, files)


async def test_a_program_runs_with_files_in_and_out() -> None:
    before = descendants(os.getpid())
    ran = await run(
        "import csv, pathlib, sys\n"
        "rows = list(csv.reader(open('in.csv')))\n"
        "print(sum(int(row[1]) for row in rows), 'ä€')\n"
        "print('careful', file=sys.stderr)\n"
        "pathlib.Path('out/copy.bin').write_bytes(bytes(range(256)))\n"
        "pathlib.Path('in.csv').write_text('changed')\n",
        **{"in.csv": b"a,1\nb,2\n"},
    )
    assert (ran.exit_code, ran.stopped, ran.stdout, ran.stderr) == (0, "", "3 ä€\n", "careful\n")
    assert (ran.files, ran.left_out) == ({"copy.bin": bytes(range(256))}, ())
    assert descendants(os.getpid()) == before


async def test_a_failure_is_told_with_its_line() -> None:
    ran = await run("x = 1\nprint('before')\nx / 0\n")
    assert (ran.exit_code, ran.stdout) == (1, "before\n")
    assert "line 3" in ran.stderr
    assert "x / 0" in ran.stderr
    assert (await run("import sys; sys.exit(7)")).exit_code == 7
    assert (await run("def f(:")).exit_code == 1
    assert (await run("import os; os.kill(os.getpid(), 11)")).exit_code == -11


async def test_the_network_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5):  # it can be reached from here
            server.accept()[0].close()
        port = server.getsockname()[1]
        ran = await run(
            "import socket\n"
            f"for address in (('127.0.0.1', {port}), ('192.0.2.1', 80)):\n"
            "    try: socket.create_connection(address, timeout=1); print('reached', address)\n"
            "    except OSError as error: print(error.errno)\n"
            "for family in (socket.AF_VSOCK, socket.AF_PACKET, socket.AF_NETLINK, socket.AF_ALG):\n"
            "    try: socket.socket(family, socket.SOCK_DGRAM); print('opened', family)\n"
            "    except OSError as error: print(error.errno)\n"
        )
        assert ran.stdout.split() == ["101", "101", "97", "97", "97", "97"], ran
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_nothing_but_its_folder_can_be_written() -> None:
    ran = await run(
        "import os, sys\n"
        "def walk(top):\n"
        "    for folder, folders, files in os.walk(top):\n"
        "        for name in [folder, *(os.path.join(folder, each) for each in files)]:\n"
        "            if os.access(name, os.W_OK) and not os.path.realpath(name).startswith('/dev'): print(name)\n"
        "walk('/')\n"
        "for path in ('/etc/passwd', '/usr/lib/x', '/x', '/tmp/x', '/program.py', '/dev/shm/x'):\n"
        "    try: open(path, 'a'); print('opened', path)\n"
        "    except OSError: pass\n"
    )
    assert (ran.exit_code, ran.stdout.split()) == (0, ["/work", "/work/out"]), ran


async def test_neither_files_nor_processes_of_the_host_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_MODEL_KEY", SECRET)
    python = Path(sys.base_prefix).resolve()
    processes = (f"/proc/{os.getpid()}/environ", "/proc/self/environ", "/proc/1/environ")
    folders = ("/root", "/home", "/etc/passwd", "/etc/hostname", "/tmp", "/sys", "/run", "/bin/sh", "/mnt")
    ran = await run(
        "import os, sys\n"
        "print(sorted(os.environ), sys.path, os.uname().nodename)\n"
        f"for path in {(*processes, str(ROOT), *folders)!r}:\n"
        # On the way to Python there is nothing but the way.
        f"    leads_to_python = {str(python)!r}.startswith(path + '/') and len(os.listdir(path)) == 1\n"
        "    if os.path.exists(path) and not leads_to_python: print('there is', path)\n"
        "for pid in range(1, 70000):\n"
        "    try: os.kill(pid, 0); print('process', pid)\n"
        "    except ProcessLookupError: pass\n"
        "    except PermissionError: print('process', pid)\n"
    )
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("['HOME', 'LC_ALL'] ")
    assert lines[0].endswith(" sandbox")
    assert "site-packages" not in lines[0]
    assert lines[1:] == ["process 1", "process 2"], ran
    assert SECRET not in ran.stdout + ran.stderr


async def test_the_kernel_gives_no_rights_back() -> None:
    ran = await run(
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def told(result): print(ctypes.get_errno() if result < 0 else 'done')\n"
        "told(libc.unshare(0x10000000))\n"
        "told(libc.mount(b'tmpfs', b'/work/out', b'tmpfs', 0, None))\n"
        "told(libc.ptrace(16, 1, 0, 0))\n"
        "told(libc.syscall(425, 8, 0))\n"
        "told(libc.memfd_create(b'x', 0))\n"
        "told(libc.setuid(0))\n"
        "told(libc.prlimit(0, 7, None, None))\n"
        "import resource\n"
        "try: resource.setrlimit(resource.RLIMIT_NPROC, (1000, 1000))\n"
        "except ValueError: print('bounded')\n"
        "try: os.kill(1, 9); print('still here')\n"
        "except PermissionError: print('still here')\n"
    )
    assert ran.stdout.split("\n")[:5] == ["1", "1", "1", "1", "1"], ran
    assert ran.stdout.split("\n")[5:-1] == ["22", "done", "bounded", "still here"], ran


async def test_a_fork_bomb_is_bounded() -> None:
    before = descendants(os.getpid())
    ran = await run(
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "        made += 1\n"
        "except BlockingIOError: print(made)\n"
    )
    assert ran.exit_code == 0
    assert 32 < int(ran.stdout) < 64
    assert descendants(os.getpid()) == before


async def test_memory_is_bounded_for_one_and_for_all_together() -> None:
    assert "MemoryError" in (await run("bytearray(600 * 2**20)")).stderr
    ran = await run(
        "import os, time\n"
        "for n in range(6):\n"
        "    if os.fork() == 0:\n"
        "        kept = b'x' * (200 * 2**20)\n"
        "        time.sleep(60)\n"
        "time.sleep(60)\n"
    )
    assert (ran.exit_code, ran.stopped) == (-signal.SIGKILL, "memory")
    full = await run(
        "try:\n"
        "    for n in range(20): open(f'f{n}', 'wb').write(b'x' * 8 * 2**20)\n"
        "except OSError as error: print(error.errno, n)\n"
    )
    assert full.stdout == "28 8\n", full  # no space left after eight files
    assert (await run("open('f', 'wb').write(b'x' * 9 * 2**20)")).exit_code != 0


async def test_an_endless_loop_ends() -> None:
    ran = await run("print('begun')\nwhile True: pass\n")
    assert ran.stdout == "begun\n"
    # By its processor time; on a machine that is busy with other work it may not get that much in its time.
    assert (ran.exit_code, ran.stopped) in ((-signal.SIGXCPU, ""), (-signal.SIGKILL, "time"))


async def test_who_waits_for_ever_is_ended() -> None:
    ran = await run("import sys, time\nsys.stdout.close(); sys.stderr.close()\ntime.sleep(600)\n")
    assert (ran.exit_code, ran.stopped) == (-signal.SIGKILL, "time")


async def test_a_flood_of_output_is_cut() -> None:
    ran = await run("import sys\nfor n in range(300): sys.stdout.write('y' * 65536)\nsys.stderr.write('end')\n")
    assert ran.exit_code == 0
    assert len(ran.stdout) < 66_000
    assert ran.stdout.endswith("y\n[the rest was left out]")
    assert ran.stderr == "end"


async def test_only_files_come_out_and_not_too_many() -> None:
    ran = await run(
        "import os\n"
        "os.symlink('/usr/lib', 'out/0link')\n"
        "os.mkdir('out/0folder')\n"
        "os.mkfifo('out/0pipe')\n"
        "open('out/0large', 'wb').write(b'x' * (2 * 2**20 + 1))\n"
        "open('out/1largest', 'wb').write(b'x' * 2 * 2**20)\n"
        "for n in range(2, 12): open(f'out/{n:02}', 'w').write(str(n))\n"
    )
    assert ran.exit_code == 0, ran
    assert sorted(ran.files) == ["02", "03", "04", "05", "06", "07", "08", "09"]
    assert ran.left_out == ("0folder", "0large", "0link", "0pipe", "10", "11", "1largest")


async def test_orphans_are_buried_while_the_program_runs() -> None:
    ran = await run(
        "import os, time\n"
        "for n in range(150):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        if os.fork() == 0: os._exit(0)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    time.sleep(0.01)\n"
        "print('all')\n"
    )
    assert ran.stdout == "all\n", ran


async def test_cancelling_ends_all() -> None:
    program = "import os, time\nos.fork()\ntime.sleep(600)\n"
    before = descendants(os.getpid())
    task = asyncio.create_task(run(program))
    processes = await until_there_are(4, os.getpid(), before)  # its supervisors, itself and its child
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert descendants(os.getpid()) == before
    await until_gone(processes)


async def test_it_ends_with_the_service_that_is_killed() -> None:
    script = (
        "import asyncio, sys\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'gen' / 'python')!r}]\n"
        "from agent_service.adapters.sandbox.box import Sandbox\n"
        "asyncio.run(Sandbox().run('import time; time.sleep(600)', {}))\n"
    )
    service = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    processes = await until_there_are(3, service.pid)
    service.kill()
    await service.wait()
    await until_gone(processes)


async def test_without_namespaces_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # The program that starts it has no right to make any, as in a container that forbids it.
    forbidding = ROOT / "tests" / "integration" / "agent" / "without_namespaces.py"
    real = asyncio.create_subprocess_exec

    async def start(python: str, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
        return await real(python, str(forbidding), python, *arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    with pytest.raises(SandboxRefusedError, match="unshare: Operation not permitted"):
        await run("print('never')")
