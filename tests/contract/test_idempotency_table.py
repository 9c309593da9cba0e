"""The table of repeatable requests is the same in every service: the one that `meshkit.sql.idempotency` asks for."""

import re

import pytest

from meshkit.sql.idempotency import TABLE
from meshkit.sql.migrations import read_migrations


@pytest.mark.parametrize("package", ["orchestrator.stores.migrations", "memory_service.stores.migrations"])
def test_a_service_has_the_table_as_it_is_asked_for(package: str) -> None:
    migrations = folded("".join(migration.sql for migration in read_migrations(package)))
    for statement in filter(None, map(folded, TABLE.split(";"))):
        assert statement in migrations


def folded(sql: str) -> str:
    return re.sub(r"\s+", " ", sql).strip().casefold()
