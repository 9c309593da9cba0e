"""The shape of the code, as a test: small files, one direction of imports, no drawers."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshctl.generate import generate

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("meshkit", "meshclient", "orchestrator", "memory_service", "agent_service", "meshctl")
SERVICES = ("orchestrator", "memory_service", "agent_service")
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}

# What `domain/` may import beside the standard library and itself.
DOMAIN_MAY_IMPORT = {f"meshkit.{module}" for module in ("context", "errors", "failpoints", "ids", "paging", "quoting")}

# A framework lives in exactly one file, so that replacing it touches one file.
ONE_FILE_FRAMEWORKS = {
    "dbos": "orchestrator/adapters",
    "langchain": "agent_service/adapters",
    "autogen": "agent_service/adapters",
    "crewai": "agent_service/adapters",
    "llama": "agent_service/adapters",  # llama_index
}


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Name the modules a file imports: `a.b` for `import a.b`, and `a.b` and `a.b.c` for `from a.b import c`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_there_is_code_to_judge() -> None:
    for package in PACKAGES:
        assert list(sources(package)), f"{package} holds no code"


@pytest.mark.parametrize(("folder", "suffix", "most"), [
    *((package, ".py", 300) for package in (*PACKAGES, "tests", "bench")),
    ("proto", ".proto", 400),
])  # fmt: skip
def test_files_are_small(folder: str, suffix: str, most: int) -> None:
    large = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / folder).rglob(f"*{suffix}")
        if (count := len(path.read_text().splitlines())) > most
    }
    assert not large, f"split by noun or verb: {large}"


def test_there_are_no_drawers_and_no_twins() -> None:
    names = [path for path in sources(*PACKAGES) if path.stem in DRAWERS or path.stem.endswith(("_v2", "_new", "_old"))]
    assert not names


def test_meshkit_knows_no_service() -> None:
    services = {*SERVICES, "meshctl", "meshclient"}
    guilty = [path for path in sources("meshkit") if any(within(name, services) for name in imports(path))]
    assert not guilty


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_no_other(service: str) -> None:
    others = {*SERVICES, "meshctl", "meshclient"} - {service}
    guilty = [path for path in sources(service) if any(within(name, others) for name in imports(path))]
    assert not guilty


@pytest.mark.parametrize("service", SERVICES)
def test_the_domain_imports_only_itself(service: str) -> None:
    allowed = DOMAIN_MAY_IMPORT | {f"{service}.domain"}
    for path in sources(f"{service}/domain"):
        for name in imports(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or within(name, allowed):
                continue
            assert name == "meshkit", f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(("framework", "home"), ONE_FILE_FRAMEWORKS.items())
def test_a_framework_is_imported_in_one_adapter_file(framework: str, home: str) -> None:
    users = [
        path.relative_to(ROOT)
        for path in sources(*PACKAGES)
        if any(name.split(".")[0].split("_")[0] == framework for name in imports(path))
    ]
    assert len(users) == 1, f"{framework} is imported in {users}"
    assert str(users[0]).startswith(home)


def test_only_configuration_reads_the_environment() -> None:
    """Services read it through `meshkit.config`; the command line, which starts them, is their environment's author."""
    guilty = [
        path.relative_to(ROOT)
        for path in sources("meshkit", "meshclient", *SERVICES)
        if path.name != "config.py" and ("os.environ" in path.read_text() or "os.getenv" in path.read_text())
    ]
    # systemd tells a process where to notify it by a variable, which is not configuration. CrewAI can be told to keep
    # to itself by variables only, which its adapter sets before it imports it.
    assert {str(path) for path in guilty} <= {"meshkit/rpc/systemd.py", "agent_service/adapters/crewai_runtime.py"}


def test_generated_files_are_clean(tmp_path: Path) -> None:
    """What is committed is what the protos give."""
    generate(tmp_path)
    fresh = contents(tmp_path)
    kept = {name: data for name, data in contents(ROOT).items() if name.parts[0] == "gen" or name in fresh}
    assert len(fresh) > 50, "hardly anything was generated"
    changed = sorted(str(name) for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))
    assert not changed, f"run ./mesh gen: {changed}"


def contents(root: Path) -> dict[Path, bytes]:
    files = [*(root / "gen").rglob("*"), *(root / "docs").glob("*.md")]
    return {
        path.relative_to(root): path.read_bytes()
        for path in files
        if path.is_file() and "__pycache__" not in path.parts
    }
