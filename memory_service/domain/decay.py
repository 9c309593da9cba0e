"""How much a fact counts besides fitting the question: its importance, and how long nobody has said it.

Owns the half-lives, which are judgements and not measurements: what somebody is stays, what they want passes. Pure.
"""

from datetime import datetime

from memory_service.domain.model import Fact, FactCategory

__all__ = ["weight"]

_HALF_LIFE_DAYS = {FactCategory.PREFERENCE: 365.0, FactCategory.GOAL: 90.0, FactCategory.KNOWLEDGE: 180.0}
_OLDEST = 0.3  # an old fact that fits is still told before a new one that does not
_LEAST_IMPORTANT = 0.6
_DAY_SECONDS = 86_400.0


def weight(fact: Fact, now: datetime) -> float:
    """Return a factor from 0 to 1 for the fact's score: 1 for what matters most and was just said."""
    importance = _LEAST_IMPORTANT + (1 - _LEAST_IMPORTANT) * fact.importance
    half_life = _HALF_LIFE_DAYS.get(fact.category)
    if half_life is None:
        return importance
    days = max(0.0, (now - (fact.confirm_time or fact.update_time)).total_seconds() / _DAY_SECONDS)
    return float(importance * (_OLDEST + (1 - _OLDEST) * 0.5 ** (days / half_life)))
