"""The answers that are kept for repeated requests: a fact as it was told, for it may have changed since."""

import json
from dataclasses import asdict
from datetime import datetime

from memory_service.domain.model import Fact, FactCategory, FactChange, FactOrigin, Owner

__all__ = ["fact_from_bytes", "fact_to_bytes"]

_TIMES = ("create_time", "update_time", "valid_from", "valid_to", "confirm_time")


def fact_to_bytes(fact: Fact) -> bytes:
    """Return the fact without its owner, whom the request names."""
    kept = asdict(fact)
    del kept["owner"]
    return json.dumps(kept | {name: kept[name] and kept[name].isoformat() for name in _TIMES}).encode()


def fact_from_bytes(answer: bytes, owner: Owner) -> Fact:
    """Return what `fact_to_bytes` kept; also what the version before this one did, which knew fewer fields."""
    kept = json.loads(answer)
    kept |= {name: datetime.fromisoformat(kept[name]) for name in _TIMES if kept.get(name)}
    kept |= {"category": FactCategory(kept["category"]), "origin": FactOrigin(kept["origin"])}
    kept["change"] = FactChange(kept.get("change", FactChange.STATED))
    return Fact(owner=owner, **kept)
