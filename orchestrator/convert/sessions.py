"""Sessions and their messages."""

from agentmesh.orchestrator.v1 import session_pb2

from orchestrator.convert.agents import timestamp
from orchestrator.domain.model import Message, Session
from orchestrator.domain.sessions import SessionDraft

__all__ = ["draft_from_proto", "message_to_proto", "session_to_proto"]


def draft_from_proto(session: session_pb2.Session) -> SessionDraft:
    """Return what a caller chose of a session."""
    return SessionDraft(session.title, session.agent, dict(session.labels))


def session_to_proto(session: Session) -> session_pb2.Session:
    """Return the session as a message."""
    return session_pb2.Session(
        id=session.id,
        user=session.user,
        title=session.title,
        agent=session.agent,
        labels=session.labels,
        create_time=timestamp(session.create_time),
        update_time=timestamp(session.update_time),
        etag=session.etag,
    )


def message_to_proto(message: Message) -> session_pb2.Message:
    """Return the message as a message of the contract."""
    return session_pb2.Message(
        run=message.run,
        role=f"ROLE_{message.role}",
        text=message.text,
        agent=message.agent,
        create_time=timestamp(message.create_time),
    )
