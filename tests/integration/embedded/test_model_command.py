"""`python -m meshctl.embedded.model` on its own, as a person or a bench starts it."""

import os
import subprocess
import sys
from pathlib import Path

import httpx


def run(*options: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "meshctl.embedded.model", *options]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})


def test_it_takes_a_free_port_and_tells_it(tmp_path: Path) -> None:
    key, port = tmp_path / "key", tmp_path / "port"
    key.write_text("secret\n")
    with run("--key-file", str(key), "--port-file", str(port)) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        url = f"http://127.0.0.1:{int(port.read_text())}/v1"
        assert url in line
        assert "secret" not in line
        try:
            response = httpx.get(f"{url}/models", headers={"Authorization": "Bearer secret"}, trust_env=False)
        finally:
            server.terminate()
        assert response.status_code == 200
        assert server.wait(timeout=10) in {0, -15}


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    with run("--key-file", str(tmp_path / "key")) as server:
        assert server.wait(timeout=20) == 2
        assert server.stderr is not None
        assert "is empty" in server.stderr.read()
