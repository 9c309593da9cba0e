"""`mesh memory facts`, `put`, `supersede` and `explain`: what is known about somebody, and why."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from agentmesh.memory.v1.fact_pb2 import Fact, FactCategory, FactChange, FactOrigin, FactVersion
from agentmesh.memory.v1.memory_service_pb2 import (
    ExplainFactRequest,
    ExplainFactResponse,
    ListFactsRequest,
    ListFactVersionsRequest,
    PutFactRequest,
    SupersedeFactRequest,
)
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from meshclient import MeshClient, new_request_id
from meshctl.commands.arguments import JsonOption, UserOption
from meshctl.commands.call import call
from meshctl.console import out, plain, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["explain", "list_facts", "origin_of", "put_fact", "supersede"]

CATEGORIES = {
    "profile": FactCategory.FACT_CATEGORY_PROFILE,
    "preference": FactCategory.FACT_CATEGORY_PREFERENCE,
    "goal": FactCategory.FACT_CATEGORY_GOAL,
    "knowledge": FactCategory.FACT_CATEGORY_KNOWLEDGE,
}
FactArgument = Annotated[str, typer.Argument(metavar="FACT", help="The fact's id.")]
TimeOption = Annotated[datetime | None, typer.Option(help="A time (UTC), e.g. 2025-01-31 or 2025-01-31T12:00:00.")]


def list_facts(
    user: UserOption = "",
    at: TimeOption = None,
    known_at: TimeOption = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List facts by key: what was true at a time, as memory knew it at another; both now if not given."""
    request = ListFactsRequest(user=user, page_size=limit, valid_at=_stamp(at), known_at=_stamp(known_at))

    async def work(client: MeshClient) -> list[Fact]:
        return list((await client.facts.ListFacts(request)).facts)

    facts = call(state, work)
    if json:
        for fact in facts:
            print_message(fact)
        return
    rows = (
        (fact.id, fact.key, fact.value, _category(fact), origin_of(fact), _date(fact.update_time)) for fact in facts
    )
    print_table(("fact", "key", "value", "category", "said by", "changed"), rows)


def put_fact(
    key: Annotated[str, typer.Argument(help="What it tells, e.g. city.")],
    value: Annotated[str, typer.Argument(help="The value, e.g. Paris.")],
    category: Annotated[str, typer.Option(help="profile, preference, goal or knowledge.")] = "knowledge",
    importance: Annotated[float, typer.Option(min=0, max=1, help="How much it matters.")] = 0.5,
    valid_from: TimeOption = None,
    valid_to: TimeOption = None,
    source: Annotated[str, typer.Option(help="Where it comes from; purged by this name.")] = "",
    user: UserOption = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Store a fact, or replace the value of the one with the same key; the old one stays in its history."""
    if category not in CATEGORIES:
        raise typer.BadParameter(f"one of {', '.join(sorted(CATEGORIES))}", param_hint="--category")
    request = PutFactRequest(
        request_id=new_request_id(),
        user=user,
        key=key,
        value=value,
        category=CATEGORIES[category],
        importance=importance,
        valid_from=_stamp(valid_from),
        valid_to=_stamp(valid_to),
        source=source,
    )

    async def work(client: MeshClient) -> Fact:
        return await client.facts.PutFact(request)

    out.print(call(state, work).id)


def supersede(
    fact: FactArgument,
    value: Annotated[str, typer.Argument(help="The new value.")],
    reason: Annotated[str, typer.Option(help="Why, e.g. 'moved to Paris'.")] = "",
    valid_from: TimeOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Replace the value of a fact with a reason."""
    request = SupersedeFactRequest(
        request_id=new_request_id(), fact=fact, value=value, reason=reason, valid_from=_stamp(valid_from)
    )

    async def work(client: MeshClient) -> Fact:
        return await client.facts.SupersedeFact(request)

    out.print(call(state, work).id)


def explain(fact: FactArgument, json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Tell why a fact is believed: who said it and when, what it replaced, and who says otherwise."""

    async def work(client: MeshClient) -> tuple[ExplainFactResponse, str]:
        answer = await client.facts.ExplainFact(ExplainFactRequest(fact=fact))
        versions = (await client.facts.ListFactVersions(ListFactVersionsRequest(fact=fact))).versions
        return answer, next((each.reason for each in versions if each.number == answer.fact.version), "")

    answer, reason = call(state, work)
    if json:
        print_message(answer)
        return
    known = answer.fact
    _say(f"{known.key}: {known.value}")
    _say(f"said by {origin_of(known)}, {_date(known.update_time)}; last confirmed {_date(known.confirm_time)}")
    if known.HasField("valid_from") or known.HasField("valid_to"):
        begins = f" from {_date(known.valid_from)}" if known.HasField("valid_from") else ""
        ends = f" until {_date(known.valid_to)}" if known.HasField("valid_to") else ""
        _say(f"true{begins}{ends}")
    if reason:
        _say(f"because: {reason}")
    if known.quote:
        _say(f'in the words: "{known.quote}"')
    if answer.HasField("interaction"):
        _say(f"in the turn {answer.interaction.id}, {_date(answer.interaction.create_time)}")
    _print_versions("what it replaced", answer.replaced)
    _print_versions("who says otherwise, and is not believed", answer.contesting)


def origin_of(fact: Fact) -> str:
    """Return who said a fact, in a word, with its source if it has one, and whether somebody says otherwise."""
    said = FactOrigin.Name(fact.origin).removeprefix("FACT_ORIGIN_").lower()
    source = f" ({fact.source})" if fact.source else ""
    return f"{said}{source}{', contested' if fact.contested else ''}"


def _print_versions(title: str, versions: Iterable[FactVersion]) -> None:
    rows = [
        (
            str(version.number),
            version.fact.value,
            FactChange.Name(version.change).removeprefix("FACT_CHANGE_").lower(),
            version.reason,
            origin_of(version.fact),
            _date(version.record_time),
        )
        for version in versions
    ]
    if rows:
        _say(f"\n{title}:")
        print_table(("version", "value", "how", "why", "said by", "when"), rows)


def _say(line: str) -> None:
    out.print(Text(plain(line)))


def _category(fact: Fact) -> str:
    return FactCategory.Name(fact.category).removeprefix("FACT_CATEGORY_").lower()


def _date(time: Timestamp) -> str:
    return time.ToDatetime().isoformat(" ", "seconds")


def _stamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time.replace(tzinfo=UTC) if time.tzinfo is None else time)
    return stamp
