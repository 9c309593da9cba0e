"""Who may talk to a store, as a test: drivers and SQL in `stores/`, keys from one place, no search without an owner.

Each gate is asked of the code as it is, and of a line that it must refuse.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture.test_shape import ROOT, SERVICES, imports, sources

MEMORY = ROOT / "memory_service" / "stores"
QDRANT = MEMORY / "vectors" / "qdrant.py"
PGVECTOR = (MEMORY / "vectors" / "pgvector.py", MEMORY / "vectors" / "kept.py")
RECENT = MEMORY / "recent.py"

# A driver, and where it may be imported beside a service's `stores/`.
DRIVERS = {
    "asyncpg": {"meshkit/sql"},
    "redis": {"memory_service/server.py", "orchestrator/server.py"},  # who opens the client and hands it to its store
    "qdrant_client": set[str](),
}

# SQL beside `stores/`: the engine of runs keeps its own tables, and a tool that asks the user's data, in SQLite.
OTHER_SQL = {
    "orchestrator/adapters/dbos_engine.py",
    "orchestrator/adapters/sweeps.py",
    "agent_service/adapters/tools/querying.py",
}
STATEMENT = re.compile(
    r"^\s*(?:select\s.*\sfrom\s|select\s+\w+\(|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s"
    r"|truncate\s|create\s+(?:table|index|role|extension|schema)\s|alter\s+\w+\s|drop\s+\w+\s|grant\s.*\sto\s)",
    re.IGNORECASE | re.DOTALL,
)

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
OF_OWNER = {"_within", "_of"}
ASKS_QDRANT = re.compile("^(query|search|recommend|discover|scroll|retrieve|count|facet|delete$|update_|set_payload)")
REDIS_WITHOUT_KEY = {"pipeline", "execute", "multi", "ping", "aclose"}


def home(path: Path) -> str:
    return str(path.relative_to(ROOT))


def in_stores(path: Path) -> bool:
    return home(path).split("/")[1] == "stores"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTION))


def called(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def holder_of(call: ast.Call) -> str:
    """Return whose method is called: `pipe` of `pipe.expire()`, `_client` of `self._client.count()`."""
    value = call.func.value if isinstance(call.func, ast.Attribute) else None
    return value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")


def statements(tree: ast.AST) -> list[str]:
    """Return the texts in the code that are SQL; docstrings are not."""
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTION)) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
        and STATEMENT.match(node.value)
    ]  # fmt: skip


def unkeyed(tree: ast.AST) -> list[str]:
    """Return the calls of Redis whose key is not made by a function that is named for it."""
    found = []
    for function in functions(tree):
        keys = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and is_key(node.value, set())
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        found += [
            ast.unparse(call)
            for call in called(function)
            if holder_of(call) in {"_redis", "redis", "pipe", "pipeline"} and name_of(call) not in REDIS_WITHOUT_KEY
            and not (call.args and is_key(call.args[0], keys))
        ]  # fmt: skip
    return found


def is_key(node: ast.expr, keys: set[str]) -> bool:
    match node:
        case ast.Call():
            return name_of(node).endswith("_key")
        case ast.Name():
            return node.id in keys
        case ast.Starred(value=ast.GeneratorExp(elt=made)):
            return is_key(made, keys)
        case _:
            return False


def makes_keys(tree: ast.AST) -> list[str]:
    """Return the functions that put a tenant's name into a key."""
    return [each.name for each in functions(tree) if any(name_of(call) == "quote" for call in called(each))]


def unfiltered(tree: ast.AST) -> list[str]:
    """Return the functions that ask Qdrant for points and do not say whose."""
    return [
        each.name
        for each in functions(tree)
        if any(holder_of(call) == "_client" and ASKS_QDRANT.match(name_of(call)) for call in called(each))
        and not any(name_of(call) in OF_OWNER for call in called(each))
    ]


def names_the_tenant(tree: ast.AST) -> list[str]:
    """Return the functions that make a condition on the tenant."""
    return [
        each.name
        for each in functions(tree)
        if any(name_of(call) == "_equal" and "'tenant'" in ast.unparse(call) for call in called(each))
    ]


def ownerless(tree: ast.AST) -> list[str]:
    """Return statements that read or delete vectors and do not say whose."""
    asking = [each for each in statements(tree) if re.search(r"from\s+\{table\}", each, re.IGNORECASE)]
    return [each for each in asking if not re.search(r"tenant = \S+ AND \S*user_id = ", each)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_is_used_in_stores_only(driver: str) -> None:
    users = {
        home(path)
        for path in sources("meshkit", *SERVICES)
        if any(name.split(".")[0] == driver for name in imports(path)) and not in_stores(path)
    }
    beside = {user for user in users if not any(user.startswith(allowed) for allowed in DRIVERS[driver])}
    assert not beside


def test_qdrant_has_one_file() -> None:
    assert [path for path in sources(*SERVICES) if "qdrant_client" in imports(path)] == [QDRANT]


def test_statements_stand_in_stores() -> None:
    guilty = {
        home(path)
        for path in sources("meshkit", *SERVICES)
        if not in_stores(path) and not home(path).startswith("meshkit/sql/") and statements(ast.parse(path.read_text()))
    }
    assert guilty == OTHER_SQL


def test_one_helper_makes_the_keys_of_the_cache() -> None:
    makers = {
        home(path): made for path in sources("memory_service") if (made := makes_keys(ast.parse(path.read_text())))
    }
    assert makers == {home(RECENT): ["_owner_key"]}
    assert not unkeyed(ast.parse(RECENT.read_text()))


def test_one_place_says_whose_vectors() -> None:
    tree = ast.parse(QDRANT.read_text())
    assert not unfiltered(tree)
    assert names_the_tenant(tree) == ["_of"]
    assert not [each for path in PGVECTOR for each in ownerless(ast.parse(path.read_text()))]


@pytest.mark.parametrize(
    ("gate", "line"),
    [
        (statements, "query = 'SELECT * FROM fact'"),
        (statements, "query = f'delete from {table}'"),
        (unkeyed, "async def get(self, user): return await self._redis.get(f'u:{user}')"),
        (unkeyed, "async def get(self, key): return await self._redis.lrange(key, 0, 1)"),
        (makes_keys, "def key(owner): return quote(owner.tenant)"),
        (unfiltered, "async def all(self): return await self._client.scroll(self._collection)"),
        (unfiltered, "async def drop(self): await self._client.delete(self._collection, ids)"),
        (names_the_tenant, "def mine(owner): return _equal('tenant', [owner.tenant])"),
        (ownerless, "COUNT = 'SELECT count(*) FROM {table}'"),
        (ownerless, "FIND = 'SELECT source FROM {table} WHERE user_id = $1'"),
    ],
)
def test_each_gate_refuses_what_it_is_there_for(gate: Callable[[ast.AST], list[str]], line: str) -> None:
    assert gate(ast.parse(line))
