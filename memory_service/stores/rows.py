"""Between rows and values, and what every change writes beside its row. Statements run in the caller's transaction."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Kind, Owner
from memory_service.domain.passages import words
from memory_service.domain.ports import RequestKey, Rows
from meshkit.sql import idempotency
from meshkit.sql.pool import Connection
from meshkit.sql.queries import load_queries

__all__ = ["QUERIES", "delete_words", "fact_of", "interaction_of", "must_follow", "page_of", "put_words", "request_of"]

QUERIES = load_queries("memory_service.stores")
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
    )


def fact_of(row: Any) -> Fact:
    """Return the fact of a row."""
    return Fact(
        id=row["id"],
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
    )


Item = TypeVar("Item")


def page_of(rows: Sequence[Any], limit: int, make: Callable[[Any], Item]) -> Rows[Item]:
    """Return at most `limit` of the rows of a list query, which read one more and told how many it `found`."""
    items = [make(row) for row in rows[:limit]]
    return Rows(items, more=bool(rows) and rows[0]["found"] > len(items))


def request_of(owner: Owner, key: RequestKey) -> idempotency.RequestKey:
    """Return the key of a repeatable write. It names the user: two users' request ids never meet."""
    return idempotency.RequestKey(owner.tenant, key.method, f"{owner.user}\n{key.request_id}")


async def put_words(connection: Connection, item: Interaction | Fact) -> None:
    """Write the words that the item is found by."""
    kind, session = (Kind.FACT, "") if isinstance(item, Fact) else (Kind.INTERACTION, item.session)
    await connection.execute(
        QUERIES["put_words"], item.owner.tenant, item.owner.user, kind, item.id, session, words(item)
    )


async def delete_words(connection: Connection, fact: Fact) -> None:
    """Delete the words of a fact."""
    await connection.execute(QUERIES["delete_words"], fact.owner.tenant, fact.owner.user, Kind.FACT, fact.id)


async def must_follow(connection: Connection, item: Interaction | Fact) -> None:
    """Tell the outbox what must follow the change of an item: its vectors, and for a turn the cache of its session."""
    kind, session = (Kind.FACT, "") if isinstance(item, Fact) else (Kind.INTERACTION, item.session)
    targets = ["vectors", "recent"] if session else ["vectors"]
    await connection.execute(
        QUERIES["add_changes"], item.owner.tenant, item.owner.user, targets, kind, item.id, session
    )
