"""Asks the gate about one candidate, as an obedient finder would bring it: whatever stands there, as a fact."""

from collections.abc import Sequence
from datetime import UTC, datetime

from memory_service.adapters.extracting.secrets import holds_secret
from memory_service.domain.extraction import Candidate, Judged, Surroundings
from memory_service.domain.gating import judge
from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Origin, Owner

OWNER = Owner("acme", "ada")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def turn(text: str, output: str = "", *, origin: Origin = Origin.USER, speaker: str = "") -> Interaction:
    return Interaction(
        "int_1", OWNER, "s", "", "helper", text, output, {}, NOW, speaker=speaker, origin=origin, source=""
    )


def candidate(key: str, value: str, quote: str) -> Candidate:
    return Candidate(key, value, FactCategory.KNOWLEDGE, 0.5, quote)


def fact(key: str, value: str, origin: FactOrigin = FactOrigin.EXTRACTION) -> Fact:
    return Fact(
        id=f"fact_{key}",
        owner=OWNER,
        key=key,
        value=value,
        category=FactCategory.PROFILE,
        importance=0.5,
        origin=origin,
        run="",
        create_time=NOW,
        update_time=NOW,
        etag="etag_1",
    )


def judged(
    said: str | Interaction, key: str, value: str, quote: str | None = None, around: Surroundings | None = None
) -> Judged:
    """Return what becomes of a candidate; its quote is all that was said unless it is given."""
    of = turn(said) if isinstance(said, str) else said
    found: Sequence[Judged] = judge(
        of, [candidate(key, value, of.input if quote is None else quote)], around or Surroundings(), holds_secret
    )
    (one,) = found
    return one
