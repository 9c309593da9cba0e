"""What becomes of a fact when something is said about it: replaced, confirmed, or contested. Pure.

Owns the rule of trust: nobody silently replaces what somebody more trusted said. What was true before is kept, and so
is what was said against it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from memory_service.domain.model import Fact, FactCategory, FactChange, FactOrigin, FactVersion

__all__ = ["Outcome", "present", "said"]

_USER = FactOrigin.CLIENT.trust


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fact as it is now, and the version to be kept beside it, if any.

    `ended_at` is when the version kept ceased to be true, if the new one told.
    """

    fact: Fact
    beside: FactVersion | None = None
    ended_at: datetime | None = None


def said(old: Fact | None, claim: Fact) -> Outcome:
    """Return what becomes of a fact when `claim` is made about it: a fact of the same key, just made.

    The claim's `change` and `reason` tell how it wants to replace another value.
    """
    if claim.origin.trust < _USER and claim.category is FactCategory.PROFILE:
        claim = replace(claim, category=FactCategory.KNOWLEDGE)  # who somebody is, they tell themselves
    if old is None:
        return Outcome(replace(claim, change=FactChange.STATED))
    now = claim.update_time
    number = old.latest + 1
    if claim.origin.trust < old.origin.trust:
        if claim.value == old.value:
            return Outcome(old)
        against = replace(claim, id=old.id, create_time=old.create_time, version=number, change=FactChange.CONTESTED)
        kept = FactVersion(number, FactChange.CONTESTED, claim.reason, against, now, None)
        return Outcome(replace(old, latest=number, contested=True, etag=claim.etag), kept)
    if claim.value == old.value:
        return Outcome(
            replace(
                claim,
                id=old.id,
                create_time=old.create_time,
                update_time=old.update_time,
                valid_from=claim.valid_from or old.valid_from,
                valid_to=claim.valid_to or old.valid_to,
                confirm_time=now,
                change=old.change,
                reason=old.reason,
                version=old.version,
                latest=old.latest,
            )
        )
    fact = replace(claim, id=old.id, create_time=old.create_time, version=number, latest=number)
    kept = FactVersion(old.version, old.change, old.reason, old, old.update_time, now)
    return Outcome(fact, kept, claim.valid_from)


def present(fact: Fact) -> FactVersion:
    """Return the present version of a fact."""
    return FactVersion(fact.version, fact.change, fact.reason, fact, fact.update_time, None)
