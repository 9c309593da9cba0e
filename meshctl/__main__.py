"""The entry of the `mesh` command.

Owns the list of commands. A command's module is imported only when it is asked for: `mesh token` need not wait for
Postgres drivers.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["app", "main"]

_COMMANDS = {
    "up": "run:up",
    "down": "run:down",
    "status": "run:status",
    "chat": "chat:chat",
    "runs": "runs:app",
    "memory": "memory:app",
    "files": "files:app",
    "agents": "agents:app",
    "runtimes": "runtimes:app",
    "token": "token:app",
    "keys": "keys:app",
    "doctor": "doctor:doctor",
    "bench": "bench:bench",
    "test": "develop:test",
    "lint": "develop:lint",
    "gen": "develop:gen",
    "lock": "develop:lock",
}

_PASS_ON = {"test": {"allow_extra_args": True, "ignore_unknown_options": True}}
"""Commands that hand arguments on to another program."""


class _Commands(TyperGroup):
    """The commands, found by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"meshctl.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
            single.command(context_settings=_PASS_ON.get(cmd_name))(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="mesh",
    cls=_Commands,
    help="A self-hosted backend for agentic AI: any agent framework behind one typed gRPC contract.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold tokens
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group() -> None:
    """Make a group of the app: it has no commands of its own."""


def main() -> None:
    """Run the command line."""
    app(prog_name="mesh")


if __name__ == "__main__":
    main()
