"""The commands, as people type them."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.running import ROOT, RunningMesh, start_mesh, stop_mesh
from tests.fakes.model_server import ModelServer, say


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_status_shows_every_part(offline_mesh: RunningMesh) -> None:
    status = offline_mesh.status()
    assert status["serving"]
    names = [part["name"] for part in status["parts"]]
    assert names == ["postgres", "valkey", "model", "memory", "agent-langchain", "orchestrator", "envoy"]
    table = offline_mesh.cli("status")
    assert table.returncode == 0
    assert table.stdout.count("SERVING") == len(names)


def test_a_token_is_made_for_other_clients(offline_mesh: RunningMesh) -> None:
    token = offline_mesh.cli("token", "create", "--subject", "shop", "--scope", "runs.read", "--hours", "2")
    assert token.returncode == 0, token.stderr
    environ = {"MESH_ADDRESS": offline_mesh.address, "MESH_TOKEN": token.stdout.strip()}
    assert offline_mesh.cli("runs", "list", **environ).returncode == 0
    refused = offline_mesh.cli("agents", "list", **environ)
    assert refused.returncode == 4
    assert "agents.read" in refused.stderr


def test_an_api_key_works_until_it_is_revoked(offline_mesh: RunningMesh) -> None:
    made = offline_mesh.cli("keys", "create", "--subject", "shop", "--scope", "runs.read")
    key = made.stdout.strip()
    assert key.startswith("mesh_")
    listed = offline_mesh.cli("keys", "list").stdout
    name = key.split("_")[1]
    assert name in listed
    assert key not in listed
    assert key not in (offline_mesh.state / "keys" / "api-keys.json").read_text()
    environ = {"MESH_ADDRESS": offline_mesh.address, "MESH_TOKEN": key}
    deadline = time.monotonic() + 5
    while (used := offline_mesh.cli("runs", "list", **environ)).returncode and time.monotonic() < deadline:
        pass
    assert used.returncode == 0, used.stderr
    assert offline_mesh.cli("agents", "list", **environ).returncode == 4
    assert offline_mesh.cli("keys", "revoke", name).returncode == 0
    deadline = time.monotonic() + 5
    while not (used := offline_mesh.cli("runs", "list", **environ)).returncode and time.monotonic() < deadline:
        pass
    assert used.returncode == 4
    assert offline_mesh.cli("keys", "revoke", name).returncode == 3


def test_everything_listens_on_loopback_only(offline_mesh: RunningMesh) -> None:
    pids = {part["pid"] for part in offline_mesh.status()["parts"]}
    sockets = {
        link.removeprefix("socket:[").removesuffix("]")
        for pid in pids
        for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        if (link := str(descriptor.readlink())).startswith("socket:")
    }
    listening = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    addresses = {row[1].split(":")[0] for row in listening if row[9] in sockets}
    assert addresses
    # 127.0.0.1, ::1 and ::ffff:127.0.0.1, as the kernel writes them.
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert addresses <= loopback


def test_doctor_finds_nothing_bad(offline_mesh: RunningMesh) -> None:
    done = offline_mesh.cli("doctor", "--json")
    assert done.returncode == 0, [each for each in json.loads(done.stdout) if each["verdict"] == "bad"]
    findings = {each["what"]: each for each in json.loads(done.stdout)}
    assert findings["model"]["verdict"] == "note"
    assert findings["part orchestrator"]["verdict"] == "good"


def test_facts_are_put_found_listed_and_deleted(offline_mesh: RunningMesh) -> None:
    put = offline_mesh.cli("memory", "put", "favourite tea", "Earl Grey", "--category", "preference")
    assert put.returncode == 0, put.stderr
    fact = put.stdout.strip()
    assert fact.startswith("fact_")
    assert "Earl Grey" in offline_mesh.cli("memory", "search", "which tea do I like?").stdout
    assert fact in offline_mesh.cli("memory", "facts").stdout
    assert offline_mesh.cli("memory", "delete", fact).returncode == 0
    assert "Earl Grey" not in offline_mesh.cli("memory", "search", "which tea do I like?").stdout
    assert offline_mesh.cli("memory", "delete", fact).returncode == 3


def test_texts_are_printed_as_they_are(offline_mesh: RunningMesh) -> None:
    value = "see [/etc/hosts] [red]:cat:"
    fact = offline_mesh.cli("memory", "put", "odd", value).stdout.strip()
    listed = offline_mesh.cli("memory", "facts")
    assert listed.returncode == 0, listed.stderr
    assert value in listed.stdout
    assert fact in listed.stdout
    assert value in offline_mesh.cli("memory", "facts", "--json").stdout
    assert value in offline_mesh.cli("memory", "search", "odd").stdout
    offline_mesh.cli("memory", "put", "odd", "\x1b]0;title\x07bell")
    assert "\x1b" not in offline_mesh.cli("memory", "facts").stdout
    offline_mesh.cli("memory", "delete", fact)


def test_runs_are_listed_read_watched_and_agents_listed(offline_mesh: RunningMesh) -> None:
    assert offline_mesh.cli("chat", "hello there").returncode == 0
    runs = [json.loads(line) for line in offline_mesh.cli("runs", "list", "--json").stdout.splitlines()]
    run = runs[0]["id"]
    assert json.loads(offline_mesh.cli("runs", "get", run).stdout)["input"] == "hello there"
    watched = offline_mesh.cli("runs", "watch", run)
    assert watched.returncode == 0
    assert watched.stdout.strip()
    last = json.loads(offline_mesh.cli("runs", "get", run).stdout)["lastSequence"]
    assert not offline_mesh.cli("runs", "watch", run, "--after", last, timeout=20).stdout
    assert offline_mesh.cli("runs", "cancel", run).stdout.strip() == "SUCCEEDED"
    assert offline_mesh.cli("runs", "get", "run_unknown").returncode == 3
    agents = offline_mesh.cli("agents", "list").stdout
    assert all(name in agents for name in ("assistant", "research", "coding", "analysis"))


def test_a_session_goes_on(offline_mesh: RunningMesh) -> None:
    first = offline_mesh.cli("chat", "The password of the day is swordfish")
    session = first.stderr.strip().split()[-1]
    again = offline_mesh.cli("chat", "--session", session, "What is the password of the day?")
    assert "swordfish" in again.stdout
    assert again.stderr.strip().split()[-1] == session


def test_ctrl_c_cancels_the_run(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(say(*["on "] * 600, delay=0.05), when="interrupt this")
    process = subprocess.Popen(
        [ROOT / "mesh", "chat", "interrupt this", "--state", mesh.state],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=mesh.environ,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(3) == "on "
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    runs = [json.loads(line) for line in mesh.cli("runs", "list", "--json").stdout.splitlines()]
    assert runs[0]["state"] == "RUN_STATE_CANCELLED"
    deadline = time.monotonic() + 5
    while model_server.about("interrupt this")[0].dropped is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert model_server.about("interrupt this")[0].dropped is not None


def test_what_is_at_work_goes_on_at_the_next_start(mesh_directory: Path, model_server: ModelServer) -> None:
    words = [f"word{number} " for number in range(100)]
    model_server.script(*[say(*words, delay=0.1)] * 3, when="count slowly")
    state = mesh_directory / "restarted"
    model = {"MESH_MODEL_URL": model_server.url, "MESH_MODEL": "scripted-1"}
    mesh = start_mesh(state, **model)
    chat = subprocess.Popen(
        [ROOT / "mesh", "chat", "count slowly", "--state", mesh.state],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=mesh.environ,
    )  # fmt: skip
    assert chat.stdout is not None
    assert chat.stdout.read(5) == b"word0"
    chat.kill()
    chat.communicate(timeout=10)
    assert mesh.cli("down", timeout=150).returncode == 0
    mesh = start_mesh(state, **model)
    try:
        run = json.loads(mesh.cli("runs", "list", "--json").stdout)["id"]
        watched = mesh.cli("runs", "watch", run)
        assert watched.returncode == 0, watched.stderr
        assert json.loads(mesh.cli("runs", "get", run).stdout)["output"] == "".join(words)
    finally:
        stop_mesh(mesh)


def test_nobody_else_may_write_the_state(offline_mesh: RunningMesh) -> None:
    writable = [path for path in offline_mesh.state.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert not writable


def test_a_directory_that_cannot_be_used_is_told(offline_mesh: RunningMesh, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [ROOT / "mesh", "up", "--detach", "--state", tmp_path / "file"],
        capture_output=True, text=True, check=False, timeout=60, env=offline_mesh.environ,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_proxy_of_the_environment_is_not_for_loopback(offline_mesh: RunningMesh) -> None:
    proxied = {
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "grpc_proxy": "http://127.0.0.1:9",
    }
    assert offline_mesh.cli("status", **proxied).returncode == 0
    assert offline_mesh.cli("agents", "list", **proxied).returncode == 0


def test_a_mesh_dies_with_its_supervisor_and_comes_back_with_its_data(mesh_directory: Path) -> None:
    state = mesh_directory / "killed"
    mesh = start_mesh(state)
    status = mesh.status()
    assert mesh.cli("chat", "My name is Ada and I prefer short answers").returncode == 0
    second = mesh.cli("up", "--detach", timeout=60)
    assert second.returncode != 0
    assert "runs on" in second.stderr
    os.kill(status["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 15
    while any(alive(part["pid"]) for part in status["parts"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [part for part in status["parts"] if alive(part["pid"])]
    assert mesh.cli("status").returncode == 3
    mesh = start_mesh(state)
    try:
        assert "Ada" in mesh.cli("chat", "What is my name?").stdout
    finally:
        stop_mesh(mesh)
