"""What is made and committed: the Python code, the service configs beside it, the pages of errors and configuration.

Owns `gen/`, `docs/errors.md` and `docs/configuration.md`: a test makes them again and compares, so nobody edits them.
"""

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from meshctl.configuration_page import configuration_page
from meshctl.environments import ROOT, ensure

__all__ = ["errors_page", "generate"]

_HEAD = """# Errors

Made from `proto/agentmesh/errors/v1/reason.proto` by `./mesh gen`.

A failed call ends with a gRPC status whose details hold a `google.rpc.ErrorInfo` with the domain `agentmesh` and one of
the reasons below. `BadRequest` names the fields that broke a rule; `RetryInfo` says when to try again. The Python
client raises the class named after the code, with the same reason. The JSON door's body holds the same details.

A failed *run* is no failed call: its `failure` holds one of the same reasons.

| reason | code | meaning |
|---|---|---|
"""


def generate(output: Path = ROOT) -> None:
    """Write everything below `output`. Raises CalledProcessError with buf's words in `stderr`."""
    ensure("gen")
    buf = str(ROOT / ".venv-gen" / "bin" / "buf")
    subprocess.run([buf, "generate", "--output", str(output)], cwd=ROOT, check=True, capture_output=True, text=True)
    for config in sorted((ROOT / "proto").rglob("*_service_config.json")):
        shutil.copyfile(config, output / "gen" / "python" / config.relative_to(ROOT / "proto"))
    docs = output / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "errors.md").write_text(errors_page())
    (docs / "configuration.md").write_text(configuration_page())


def errors_page() -> str:
    """Return the page of errors: a row for each reason, with its code and the comment of the proto."""
    reasons: Any = importlib.import_module("agentmesh.errors.v1.reason_pb2")
    codes: Any = importlib.import_module("google.rpc.code_pb2")
    comments = _comments(ROOT / "proto" / "agentmesh" / "errors" / "v1" / "reason.proto")
    rows = []
    for value in reasons.ErrorReason.DESCRIPTOR.values:
        if value.number:
            code = codes.Code.Name(value.GetOptions().Extensions[reasons.code])
            rows.append(f"| `{value.name.removeprefix('ERROR_REASON_')}` | {code} | {comments[value.name]} |")
    return _HEAD + "\n".join(rows) + "\n"


def _comments(proto: Path) -> dict[str, str]:
    """Return the comment above each enum value: descriptors at run time do not hold it."""
    found: dict[str, str] = {}
    comment: list[str] = []
    for line in map(str.strip, proto.read_text().splitlines()):
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
        else:
            if line.startswith("ERROR_REASON_"):
                found[line.split()[0]] = " ".join(comment)
            comment = []
    return found
