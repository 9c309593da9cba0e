"""Starts the agent service with an ear on what its Python code does to the world outside: `guarded.py REPORT`.

Each connection, name look-up, child process and opened `.env` becomes a line of the report.
"""

import runpy
import sys
from pathlib import Path
from typing import Any

report = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115 - open for as long as the process lives


def hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        report.write(f"connect {arguments[1]!r}\n")
    elif event == "socket.getaddrinfo":
        report.write(f"look up {arguments[0]!r}\n")
    elif event == "subprocess.Popen" or (event == "open" and str(arguments[0]).endswith("/.env")):
        report.write(f"{event} {arguments[0]!r}\n")


sys.addaudithook(hear)
sys.argv = ["agent_service"]
runpy.run_module("agent_service", run_name="__main__", alter_sys=True)
