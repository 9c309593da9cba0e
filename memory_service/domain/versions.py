"""What becomes of a fact when something is said about it: replaced, confirmed, or contested. Pure.

Owns the rule of trust: nobody silently replaces what somebody more trusted said, and nobody but the user makes their
own what somebody else said. What was true before is kept, and so is what was said against it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from memory_service.domain.model import Fact, FactCategory, FactChange, FactOrigin, FactVersion
from meshkit.errors import InvalidArgument

__all__ = ["Outcome", "present", "said"]

_USER = FactOrigin.CLIENT.trust


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fact as it is now, and the version to be kept beside it, if any.

    `ended_at` is when the version kept ceased to be true, if the new one told; None: it was an error.
    """

    fact: Fact
    beside: FactVersion | None = None
    ended_at: datetime | None = None


def said(old: Fact | None, claim: Fact) -> Outcome:
    """Return what becomes of a fact when `claim` is made about it: a fact of the same key, just made.

    The claim's `change` and `reason` tell how it wants to replace another value. Raises InvalidArgument if the times
    that it tells do not fit those that are known.
    """
    if claim.origin.trust < _USER and claim.category is FactCategory.PROFILE:
        claim = replace(claim, category=FactCategory.KNOWLEDGE)  # who somebody is, they tell themselves
    if old is None:
        return Outcome(replace(claim, change=FactChange.STATED))
    if claim.origin.trust < old.origin.trust:
        return Outcome(old) if claim.value == old.value else _against(old, claim)
    if claim.value == old.value:
        return _again(old, claim)
    begins = claim.valid_from
    followed = begins is not None and (old.valid_from is None or begins > old.valid_from)
    return _instead(old, claim, begins if followed else None)


def present(fact: Fact) -> FactVersion:
    """Return the present version of a fact."""
    return FactVersion(fact.version, fact.change, fact.reason, fact, fact.update_time, None)


def _against(old: Fact, claim: Fact) -> Outcome:
    number = old.latest + 1
    change = FactChange.CONTESTED
    against = replace(claim, id=old.id, create_time=old.create_time, version=number, latest=number, change=change)
    kept = FactVersion(number, change, claim.reason, against, claim.update_time, None)
    return Outcome(replace(old, latest=number, contested=True, etag=claim.etag), kept)


def _instead(old: Fact, claim: Fact, ended_at: datetime | None) -> Outcome:
    number, now = old.latest + 1, max(claim.update_time, old.update_time)  # the clocks of two processes may differ
    fact = replace(claim, id=old.id, create_time=old.create_time, update_time=now, version=number, latest=number)
    return Outcome(fact, FactVersion(old.version, old.change, old.reason, old, old.update_time, now), ended_at)


def _again(old: Fact, claim: Fact) -> Outcome:
    """The same value: a confirmation, or another version if it tells something new of when it is true."""
    now = claim.update_time
    if old.valid_to is not None and old.valid_to <= now and claim.valid_to is None:
        return _instead(old, _by(_speaker(old, claim, tells_more=True), claim), old.valid_to)  # it is true once more
    begins, ends = claim.valid_from or old.valid_from, claim.valid_to or old.valid_to
    if begins is not None and ends is not None and ends <= begins:
        field = "valid_from" if claim.valid_to is None else "valid_to"
        raise InvalidArgument("valid_to is not later than valid_from, which is known already", field=field)
    if (begins, ends) != (old.valid_from, old.valid_to):
        told = replace(claim, valid_from=begins, valid_to=ends)
        return _instead(old, _by(_speaker(old, claim, tells_more=True), told), None)
    same = replace(old, category=claim.category, importance=claim.importance, contested=False)
    same = _by(_speaker(old, claim, tells_more=False), same)
    etag = old.etag if same == old else claim.etag
    return Outcome(replace(same, confirm_time=now, etag=etag))


def _speaker(old: Fact, claim: Fact, *, tells_more: bool) -> Fact:
    """Return which of two who say the same is named for it: who said it first, but for the user's own word.

    An agent that repeats what a tool said does not hide where that came from.
    """
    if claim.origin.trust == _USER:
        return claim if tells_more or old.origin.trust < _USER or not _names_its_source(old) else old
    return old


def _names_its_source(fact: Fact) -> bool:
    return bool(fact.run or fact.source or fact.interaction or fact.quote)


def _by(speaker: Fact, fact: Fact) -> Fact:
    return replace(
        fact,
        origin=speaker.origin,
        run=speaker.run,
        step=speaker.step,
        source=speaker.source,
        interaction=speaker.interaction,
        quote=speaker.quote,
    )
