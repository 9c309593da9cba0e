"""SQL in files: named blocks, each with a sentence, so that a query can be read and run where it stands.

-- fetch_fact --
-- One fact of a user, whatever its state.
SELECT * FROM facts WHERE tenant = $1 AND id = $2
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

__all__ = ["load_queries", "parse_queries"]

_NAME = re.compile(r"^-- ([a-z][a-z0-9_]*) --$", re.MULTILINE)


def load_queries(package: str, name: str = "queries.sql") -> Mapping[str, str]:
    """Return the queries of a file in a package by their names."""
    return parse_queries(files(package).joinpath(name).read_text())


def parse_queries(text: str) -> Mapping[str, str]:
    """Return the queries of a text by their names. Raises ValueError for a name given twice or a block without SQL."""
    _, *parts = _NAME.split(text)
    queries: dict[str, str] = {}
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        sql = "\n".join(line for line in block.splitlines() if not line.startswith("--")).strip()
        if name in queries or not sql:
            raise ValueError(f"query {name} is given twice or empty")
        queries[name] = sql
    return MappingProxyType(queries)
