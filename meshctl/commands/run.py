"""`mesh up`, `down` and `status`: a whole mesh on this machine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.text import Text

from meshctl.assembly import Assembly
from meshctl.commands.call import finish
from meshctl.console import err, out, print_json, print_table, progress, tell
from meshctl.embedded.kept import kept_port, port_is_free
from meshctl.embedded.process import log_tail
from meshctl.environments import ROOT, SetupError
from meshctl.health import answers
from meshctl.runtimes import chosen, install
from meshctl.state import DEFAULT_STATE, RunFile, State, StateOption
from meshctl.supervisor import running_mesh, until_signal
from meshkit.errors import InvalidArgument, MeshError, Unavailable

__all__ = ["down", "status", "up"]

_DEFAULT = "127.0.0.1:8080"
_SERVING, _NOT_SERVING = Text("SERVING", "green"), Text("NOT_SERVING", "red")
_LONGEST_START = 600.0
_LONGEST_STOP = 120.0


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is SERVING.")] = False,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help=f"Where clients connect; default: {_DEFAULT}, or a free port.")
    ] = "",
    runtimes: Annotated[
        str,
        typer.Option(
            envvar="MESH_RUNTIMES",
            metavar="NAME,…",
            help="Which agent frameworks run: langchain, autogen, crewai, llamaindex, or all; default: those of the "
            "built-in agents, and what is installed.",
        ),
    ] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Start the mesh and keep it running until Ctrl-C; a part that ends by itself is started again."""
    os.umask(0o022)  # nobody else may write what is made from here on, whatever the caller's umask
    home = State(state)
    try:
        names = chosen(runtimes)
    except InvalidArgument as error:
        raise typer.BadParameter(error.message, param_hint="--runtimes") from None
    edge = finish(lambda: _front_door(home, listen))
    try:
        install(names, tell)
    except SetupError as error:
        err.print(f"mesh: {error}", style="red")
        raise typer.Exit(1) from None
    finish(lambda: _up_detached(home, edge, names) if detach else _up(home, edge, names))


def down(state: StateOption = DEFAULT_STATE) -> None:
    """Stop the mesh that runs on the state directory; runs that are at work go on at the next start."""
    home = State(state)

    async def stop() -> None:
        os.kill(home.read_run_file().pid, signal.SIGTERM)
        with progress("stopping"):
            await _until(lambda: not home.running(), _LONGEST_STOP, "the mesh did not stop")

    finish(stop)


def status(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, state: StateOption = DEFAULT_STATE
) -> None:
    """Show the parts of a running mesh; exits with 1 unless all serve."""

    async def look() -> tuple[RunFile, dict[str, bool]]:
        content = State(state).read_run_file()
        healthy = await asyncio.gather(*(answers(part.name, part.address) for part in content.parts))
        return content, {part.name: good for part, good in zip(content.parts, healthy, strict=True)}

    content, healthy = finish(look)
    good = content.serving and all(healthy.values())
    if json:
        parts = [
            {"name": part.name, "address": part.address, "pid": part.pid, "starts": part.starts, "serving": ok}
            for part, ok in zip(content.parts, healthy.values(), strict=True)
        ]
        print_json({"address": content.address, "pid": content.pid, "serving": good, "parts": parts})
    else:
        _print_parts(content, healthy)
    raise typer.Exit(0 if good else 1)


async def _up(home: State, edge: tuple[str, int], runtimes: Sequence[str]) -> None:
    host, port = edge
    with home.claimed():
        assembly = Assembly(home, edge, os.environ, runtimes)
        started = time.monotonic()
        tell(f"starting on {home.root}")
        async with running_mesh(home, f"{host}:{port}", assembly.stages()) as parts:
            tell(f"serving on {host}:{port} after {time.monotonic() - started:.1f} s ({len(parts)} processes)")
            if assembly.offline_model:
                tell("no language model is configured: answers come from built-in rules; set MESH_MODEL_URL for one")
            tell('try: ./mesh chat "My name is Ada and I prefer short answers"')
            await until_signal()
            tell("stopping")


async def _up_detached(home: State, edge: tuple[str, int], runtimes: Sequence[str]) -> None:
    home.create()
    log = home.logs / "mesh.log"
    where = ("--listen", f"{edge[0]}:{edge[1]}", "--state", str(home.root), "--runtimes", ",".join(runtimes))
    command = [sys.executable, "-m", "meshctl", "up", *where]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - one system call
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    def ready() -> bool:
        if process.poll() is not None:
            raise Unavailable(f"the mesh ended at its start:\n{log_tail(log)}")
        try:
            content = home.read_run_file()
        except MeshError:
            return False
        return content.pid == process.pid and content.serving

    with progress("starting"):
        await _until(ready, _LONGEST_START, f"the mesh is not serving; see {log}")
    out.print(home.read_run_file().address)


async def _until(condition: Callable[[], bool], patience: float, otherwise: str) -> None:
    try:
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110 - it looks at another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Unavailable(otherwise) from None


async def _front_door(home: State, listen: str) -> tuple[str, int]:
    """Return where to listen: as told; else the usual port, or one that this mesh keeps if that is taken."""
    if not listen:
        home.create()
        host, port = _DEFAULT.split(":")
        return host, int(port) if port_is_free(int(port)) else kept_port(home.ports / "envoy")
    host, _, number = listen.rpartition(":")
    if not host or not number.isdigit() or not 0 < int(number) < 65536:
        raise typer.BadParameter(f"it looks like {_DEFAULT}", param_hint="--listen")
    if not port_is_free(int(number)):
        err.print(f"mesh: {listen} is taken; choose another port with --listen", style="red")
        raise typer.Exit(1)
    return host.strip("[]"), int(number)


def _print_parts(content: RunFile, healthy: dict[str, bool]) -> None:
    rows = (
        (part.name, _SERVING if healthy[part.name] else _NOT_SERVING, part.address, str(part.pid), str(part.starts))
        for part in content.parts
    )
    print_table(("part", "state", "address", "pid", "starts"), rows)
