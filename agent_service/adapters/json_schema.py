"""JSON Schemas, checked in a process of their own: a few hundred bytes of schema can take hours of a processor.

Owns that process: how many there are at once, and that none outlives who asked. Its work is `json_schema_check.py`.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from agent_service.domain.structured import Misfit
from meshkit.errors import Internal, InvalidArgument

__all__ = ["JsonSchemas"]

_PROGRAM = Path(__file__).with_name("json_schema_check.py")
_FIELD = "spec.output_schema"

# Each takes 0.15 s of a processor, and the agents need it too.
_AT_ONCE = 4

_OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGKILL}


class JsonSchemas:
    """`domain.structured.Schemas` over the library jsonschema: Draft 2020-12, without references to elsewhere."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def misfits(self, schema: str, value: str) -> Sequence[Misfit]:
        """Return what does not fit, at most five. Raises InvalidArgument."""
        async with self._places:
            status, said = await _run(json.dumps({"schema": schema, "value": value}).encode())
        if status in _OUT_OF_TIME:
            raise InvalidArgument("it takes too long to check an answer against the schema", field=_FIELD)
        if status:
            raise Internal(f"the check of a schema ended with status {status}")
        found = json.loads(said)
        if "refused" in found:
            raise InvalidArgument(found["refused"], field=_FIELD)
        return [Misfit(**misfit) for misfit in found["misfits"]]


async def _run(asked: bytes) -> tuple[int, bytes]:
    """Run the program: isolated, with an empty environment, for what it is given is not ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        _PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        said, _ = await process.communicate(asked)
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())  # at once, for it cannot refuse
    return await process.wait(), said
