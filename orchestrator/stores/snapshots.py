"""Sessions and agents as bytes: the answers that repeated requests get, as they were given the first time."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from orchestrator.domain.model import Agent, Session
from orchestrator.stores.rows import agent_of, session_of
from orchestrator.stores.specs import spec_to_json

__all__ = ["agent_from_bytes", "agent_to_bytes", "session_from_bytes", "session_to_bytes"]


def session_to_bytes(session: Session) -> bytes:
    """Return the session as JSON."""
    values = asdict(session)
    return json.dumps({**values, "user_id": values.pop("user")}, default=datetime.isoformat).encode()


def session_from_bytes(data: bytes) -> Session:
    """Return the session that the bytes tell."""
    return session_of(_timed(json.loads(data)))


def agent_to_bytes(agent: Agent) -> bytes:
    """Return the agent as JSON."""
    values = {
        "name": agent.name,
        "description": agent.description,
        "spec": spec_to_json(agent.spec),
        "create_time": agent.create_time.isoformat(),
        "update_time": agent.update_time.isoformat(),
        "etag": agent.etag,
    }
    return json.dumps(values).encode()


def agent_from_bytes(data: bytes) -> Agent:
    """Return the agent that the bytes tell."""
    return agent_of(_timed(json.loads(data)))


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    return values | {name: datetime.fromisoformat(values[name]) for name in ("create_time", "update_time")}
