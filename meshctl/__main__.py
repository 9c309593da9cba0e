"""The entry of the `mesh` command."""

import typer

from meshctl.commands import agents, develop, memory, runs, token
from meshctl.commands.bench import bench
from meshctl.commands.chat import chat
from meshctl.commands.doctor import doctor
from meshctl.commands.run import down, status, up

__all__ = ["app", "main"]

app = typer.Typer(
    name="mesh",
    help="A self-hosted backend for agentic AI: any agent framework behind one typed gRPC contract.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold tokens
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(down)
app.command()(status)
app.command()(chat)
app.add_typer(runs.app, name="runs")
app.add_typer(memory.app, name="memory")
app.add_typer(agents.app, name="agents")
app.add_typer(token.app, name="token")
app.command()(doctor)
app.command(context_settings=develop.PASS_ON)(develop.test)
app.command(context_settings=develop.PASS_ON)(bench)
app.command()(develop.lint)
app.command()(develop.gen)
app.command()(develop.lock)


def main() -> None:
    """Run the command line."""
    app(prog_name="mesh")


if __name__ == "__main__":
    main()
