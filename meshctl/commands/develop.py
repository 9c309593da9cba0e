"""`mesh test`, `lint`, `gen` and `lock`: what a contributor and the continuous integration run.

Each makes the environments that it needs, so that a fresh checkout needs nothing installed by hand.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from meshctl.console import progress, tell
from meshctl.environments import ROOT, ensure
from meshctl.generate import generate
from meshctl.runtimes import RUNTIMES

GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
TOOLS = ROOT / ".cache" / "bin"


def test(context: typer.Context) -> None:
    """Run the tests; further arguments go to pytest, e.g. `./mesh test tests/unit -k paging`."""
    python = ensure("dev", tell)
    for name in ("gen", *RUNTIMES):
        ensure(name, tell)
    _build_grpcurl()
    raise typer.Exit(_run([str(python), "-m", "pytest", *context.args], stop=False))


def lint() -> None:
    """Check style, types and contracts: ruff, mypy, buf lint, buf breaking."""
    python = ensure("dev", tell)
    ensure("gen", tell)
    buf = str(ROOT / ".venv-gen" / "bin" / "buf")
    _run([str(python), "-m", "ruff", "check", "."])
    _run([str(python), "-m", "ruff", "format", "--check", "."])
    _run([str(python), "-m", "mypy"])
    _run([buf, "lint"])
    _run([buf, "format", "--diff", "--exit-code", "proto"])
    base = _released_contract()
    if base is None:
        tell("no earlier commit to compare the contracts with")
    else:
        tell(f"comparing the contracts with {base[:12]}")
        _run([buf, "breaking", "--against", f".git#ref={base}"])


def gen() -> None:
    """Generate the code and pages that are made from the protos."""
    ensure("gen", tell)
    _run([str(ROOT / ".venv-gen" / "bin" / "buf"), "format", "-w", "proto"])
    with progress("generating"):
        generate()


def lock(
    upgrade: Annotated[bool, typer.Option(help="Take newer versions where pyproject.toml allows them.")] = False,
) -> None:
    """Write the locks again after a change of the dependencies."""
    ensure("mesh", tell)
    options = [
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
    ]
    options += ["--upgrade"] if upgrade else []
    compiled = [str(ROOT / ".venv-uv" / "bin" / "uv"), "pip", "compile", *options]
    project = ["pyproject.toml", "--override", "locks/overrides.txt"]
    _run([*compiled, *project, "--extra", "mesh", "-o", "locks/mesh.lock"])
    _run([*compiled, *project, "--extra", "mesh", "--extra", "dev", "-c", "locks/mesh.lock", "-o", "locks/dev.lock"])
    _run([*compiled, *project, "--extra", "langchain", "-o", "locks/langchain.lock"])
    _run([*compiled, *project, "--extra", "autogen", "-o", "locks/autogen.lock"])
    for name in ("crewai", "llamaindex"):
        without = ["--override", f"locks/{name}-overrides.txt"]
        _run([*compiled, *project, *without, "--extra", name, "-o", f"locks/{name}.lock"])
    for name in ("gen", "uv"):
        _run([*compiled, f"locks/{name}.in", "-o", f"locks/{name}.lock"])


def _run(command: list[str], *, stop: bool = True) -> int:
    environment = os.environ | {"PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if status and stop:
        raise typer.Exit(status)
    return status


def _build_grpcurl() -> None:
    """Build grpcurl for the end-to-end tests where there is Go; where that fails they say so and use `buf curl`."""
    go, built = shutil.which("go"), TOOLS / "grpcurl.version"
    if go is None or (built.exists() and built.read_text() == GRPCURL):
        return
    tell("building grpcurl for the tests (once; one or two minutes)")
    TOOLS.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "install", GRPCURL], env=os.environ | {"GOBIN": str(TOOLS)}, check=False, capture_output=True, text=True
    )
    if done.returncode:
        tell(f"grpcurl could not be built: {done.stderr.strip()[-400:]}")
    else:
        built.write_text(GRPCURL)


def _released_contract() -> str | None:
    """Return the commit whose protos clients may already use: main's, or the one before this on main itself."""
    for name in ("origin/main", "main", "HEAD~1"):
        commit = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if commit and commit != _git("rev-parse", "HEAD") and Path(ROOT, ".git").exists():
            return commit
    return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
