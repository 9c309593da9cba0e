"""Between rows and values, and what every change writes beside its row. Statements run in the caller's transaction."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import Any, TypeVar

from memory_service.domain.model import (
    Fact,
    FactCategory,
    FactChange,
    FactOrigin,
    FactVersion,
    Indexed,
    Interaction,
    Origin,
    Owner,
    Passage,
    session_of,
    source_of,
)
from memory_service.domain.ports import RequestKey, Rows
from memory_service.retrieval.indexed import row_of
from meshkit.sql import idempotency
from meshkit.sql.pool import Connection
from meshkit.sql.queries import load_queries

__all__ = [
    "QUERIES",
    "delete_words",
    "fact_of",
    "interaction_of",
    "must_follow",
    "page_of",
    "passage_of",
    "put_words",
    "request_of",
    "version_of",
]

QUERIES = {
    name: sql
    for topic in (
        "documents",
        "extraction",
        "facts",
        "indexes",
        "interactions",
        "outbox",
        "privacy",
        "settings",
        "tokens",
        "words",
    )
    for name, sql in load_queries("memory_service.stores.queries", f"{topic}.sql").items()
}
"""The service's SQL by name."""


def interaction_of(row: Any) -> Interaction:
    """Return the turn of a row."""
    return Interaction(
        id=row["id"],
        owner=Owner(row["tenant"], row["user_id"]),
        session=row["session"],
        run=row["run"],
        agent=row["agent"],
        input=row["input"],
        output=row["output"],
        labels=row["labels"],
        create_time=row["create_time"],
        speaker=row["speaker"],
        origin=Origin(row["origin"]),
        source=row["source"],
    )


def fact_of(row: Any) -> Fact:
    """Return the fact of a row."""
    return _fact_of(row, row["id"], version=row["version"], latest=row["latest"], contested=row["contested"])


def version_of(row: Any) -> FactVersion:
    """Return the version of a row that stands beside its fact."""
    number, change = row["number"], FactChange(row["change"])
    fact = _fact_of(row, row["fact"], version=number, latest=number, contested=False)
    ends = [time for time in (fact.valid_to, row["ended_at"]) if time is not None]
    fact = replace(fact, valid_to=min(ends, default=None))
    return FactVersion(number, change, row["reason"], fact, row["record_time"], row["replace_time"])


def _fact_of(row: Any, name: str, *, version: int, latest: int, contested: bool) -> Fact:
    return Fact(
        id=name,
        owner=Owner(row["tenant"], row["user_id"]),
        key=row["key"],
        value=row["value"],
        category=FactCategory(row["category"]),
        importance=row["importance"],
        origin=FactOrigin(row["origin"]),
        run=row["run"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        etag=row["etag"],
        source=row["source"],
        step=row["step"],
        interaction=row["interaction"],
        quote=row["quote"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        confirm_time=row["confirm_time"],
        change=FactChange(row["change"]),
        reason=row["reason"],
        version=version,
        latest=latest,
        contested=contested,
    )


def passage_of(row: Any) -> Passage:
    """Return the passage of a row that has its document's title and uri."""
    return Passage(
        document=row["document"],
        owner=Owner(row["tenant"], row["user_id"]),
        title=row["title"],
        uri=row["uri"],
        number=row["number"],
        heading=row["heading"],
        text=row["body"],
        start=row["starts"],
        end=row["ends"],
    )


Item = TypeVar("Item")


def page_of(rows: Sequence[Any], limit: int, make: Callable[[Any], Item]) -> Rows[Item]:
    """Return at most `limit` of the rows of a list query, which read one more and told how many it `found`."""
    items = [make(row) for row in rows[:limit]]
    return Rows(items, more=bool(rows) and rows[0]["found"] > len(items))


def request_of(owner: Owner, key: RequestKey) -> idempotency.RequestKey:
    """Return the key of a repeatable write. It names the user: two users' request ids never meet."""
    return idempotency.RequestKey(owner.tenant, key.method, f"{owner.user}\n{key.request_id}")


async def put_words(connection: Connection, *items: Indexed) -> None:
    """Write the words that the items are found by."""
    # A long text takes tens of milliseconds: not in the loop that answers everybody else.
    indexed = await asyncio.to_thread(lambda: [row_of(item) for item in items])
    rows = [
        (item.owner.tenant, item.owner.user, source_of(item).kind, *astuple(row))
        for item, row in zip(items, indexed, strict=True)
    ]
    await connection.executemany(QUERIES["put_words"], rows)


async def delete_words(connection: Connection, item: Indexed) -> None:
    """Delete the words of an item."""
    source = source_of(item)
    await connection.execute(QUERIES["delete_words"], source.owner.tenant, source.owner.user, source.kind, source.id)


async def must_follow(connection: Connection, *items: Indexed) -> None:
    """Tell the outbox what must follow the change of items: their vectors, and for a turn the cache of its session."""
    rows = [
        (item.owner.tenant, item.owner.user, _targets(item), source_of(item).kind, item.id, session_of(item))
        for item in items
    ]
    await connection.executemany(QUERIES["add_changes"], rows)


def _targets(item: Indexed) -> list[str]:
    return ["vectors", "recent"] if isinstance(item, Interaction) and item.session else ["vectors"]
