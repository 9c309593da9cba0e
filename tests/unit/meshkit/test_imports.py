"""What importing the kit brings with it: drivers only for stores, the standard library only for the domain's parts."""

import subprocess
import sys

import pytest

RUNTIME = (
    "meshkit.rpc.lifecycle, meshkit.rpc.channel, meshkit.rpc.streams, meshkit.rpc.failure, "
    "meshkit.auth.authenticator, meshkit.auth.issuer, meshkit.telemetry.logs"
)


def loaded_by(modules: str) -> set[str]:
    """Return the top-level packages that importing the modules loads, in a fresh interpreter."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import {modules}; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return {name.partition(".")[0] for name in output.split()}


def test_a_runtime_needs_no_database_driver() -> None:
    assert not loaded_by(RUNTIME) & {"asyncpg", "redis", "psycopg", "qdrant_client", "dbos", "langchain"}


@pytest.mark.parametrize("module", ["errors", "context", "paging", "redaction"])
def test_what_the_domain_may_import_is_the_standard_library_alone(module: str) -> None:
    extra = loaded_by(f"meshkit.{module}") - loaded_by("sys")
    assert {name for name in extra if name not in sys.stdlib_module_names} <= {"meshkit"}


def test_ids_need_the_ulid_library_and_no_more() -> None:
    extra = loaded_by("meshkit.ids") - loaded_by("sys")
    assert {name for name in extra if name not in sys.stdlib_module_names} <= {"meshkit", "ulid", "typing_extensions"}
