"""Starting the echo process, and stopping what a test leaves behind."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from meshkit.testing.credentials import TestTokens


@dataclass
class EchoProcess:
    process: asyncio.subprocess.Process
    address: str
    log: list[str]

    async def wait(self) -> int:
        """Wait for the end; returns the exit code, and keeps what was still printed."""
        assert self.process.stdout is not None
        self.log += (await self.process.stdout.read()).decode().splitlines()
        return await self.process.wait()


@asynccontextmanager
async def echo_process(tokens: TestTokens, variables: Mapping[str, str] | None = None) -> AsyncIterator[EchoProcess]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "MESH_LISTEN": "127.0.0.1:0",
        "MESH_AUTH_JWKS_FILE": str(tokens.files.public),
        **(variables or {}),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.meshkit.echo_process",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    log: list[str] = []
    address = ""
    try:
        async with asyncio.timeout(30):
            while not address and (line := await process.stdout.readline()):
                log.append(line.decode().rstrip())
                if '"event": "listening"' in log[-1]:
                    address = json.loads(log[-1])["address"]
        yield EchoProcess(process, address, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
