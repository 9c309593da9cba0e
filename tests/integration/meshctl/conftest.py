"""A scripted RunService, and the command line on it."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner

from meshctl.__main__ import app
from tests.fakes.run_service import ScriptedRuns

Mesh = Callable[..., Result]


@pytest.fixture
def runs() -> Iterator[ScriptedRuns]:
    with ScriptedRuns() as service:
        yield service


@pytest.fixture
def mesh(runs: ScriptedRuns) -> Mesh:
    """Run a `mesh` command in this process; its standard input is no terminal."""

    def run(*arguments: str, text: str = "") -> Result:
        environ = {"MESH_ADDRESS": runs.address, "MESH_TOKEN": "token"}
        return CliRunner().invoke(app, arguments, input=text, env=environ)

    return run
