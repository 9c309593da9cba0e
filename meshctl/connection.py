"""How the commands reach a mesh.

Owns the choice: `MESH_ADDRESS` and `MESH_TOKEN` name any mesh; without them it is the one that runs on the state
directory, with a token of the local user.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from meshclient import MeshClient
from meshctl.credentials import local_token
from meshctl.state import State

__all__ = ["connected"]


@asynccontextmanager
async def connected(directory: Path) -> AsyncIterator[MeshClient]:
    """Yield a client of the mesh that the environment or the state directory names. Raises MeshError."""
    state = State(directory)
    address = os.environ.get("MESH_ADDRESS") or state.read_run_file().address
    token = os.environ.get("MESH_TOKEN")
    async with MeshClient(address, token=token or local_token(state)) as client:
        yield client
