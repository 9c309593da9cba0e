"""What every command that talks to a mesh shares: an event loop, a client, and errors as words and exit codes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from meshclient import MeshClient
from meshctl.connection import connected
from meshctl.console import exit_code, explain
from meshkit.errors import MeshError

__all__ = ["call", "finish"]

Result = TypeVar("Result")


def call(state: Path, work: Callable[[MeshClient], Awaitable[Result]]) -> Result:
    """Run `work` with a client of the mesh and return what it returns; an error ends the command."""

    async def connect_and_work() -> Result:
        async with connected(state) as client:
            return await work(client)

    return finish(connect_and_work)


def finish(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run `work` to its end; an error ends the command with its words and exit code, Ctrl-C with 130."""

    async def run() -> Result:
        return await work()

    try:
        return asyncio.run(run())
    except MeshError as error:
        explain(error)
        raise typer.Exit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
