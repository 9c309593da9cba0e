"""Memory services as processes of their own, which a test may kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Processes"]

ROOT = Path(__file__).resolve().parents[3]


class Processes:
    """Memory services on one unix socket, started with the settings of the module."""

    def __init__(self, settings: Mapping[str, Any], directory: Path) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self.address = f"unix:{directory}/memory.sock"
        self._log = directory / "memory.log"
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen' / 'python'}",
            "MESH_LISTEN": self.address,
            "MESH_AUTH_JWKS_FILE": str(settings["auth_jwks_file"]),
            "DATABASE_URL": settings["database_url"],
            "REDIS_URL": settings["redis_url"],
            "MESH_CACHE_DIR": str(settings["cache_dir"]),
        }

    def start(self, **environment: str) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "memory_service"],
                env=self._environment | environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        self._running.append(process)
        return process

    def kill(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._running.clear()

    def terminate(self) -> int:
        process = self._running.pop()
        process.terminate()
        return process.wait(timeout=40)
