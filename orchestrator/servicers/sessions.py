# ruff: noqa: N802 - the contract names the methods
"""SessionService."""

from typing import Any

from agentmesh.orchestrator.v1 import session_pb2, session_service_pb2, session_service_pb2_grpc
from google.protobuf import empty_pb2

from meshkit.context import current
from meshkit.paging import page_size
from orchestrator.convert.runs import request_key
from orchestrator.convert.sessions import draft_from_proto, message_to_proto, session_to_proto
from orchestrator.domain.sessions import Sessions

__all__ = ["SessionServicer"]


class SessionServicer(session_service_pb2_grpc.SessionServiceServicer):
    """Serves sessions."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def CreateSession(
        self, request: session_service_pb2.CreateSessionRequest, context: Any
    ) -> session_pb2.Session:
        """Make a session."""
        caller = current()
        key = request_key(caller, "CreateSession", request)
        session = await self._sessions.create(caller, key, request.user, draft_from_proto(request.session))
        return session_to_proto(session)

    async def GetSession(self, request: session_service_pb2.GetSessionRequest, context: Any) -> session_pb2.Session:
        """Read a session."""
        return session_to_proto(await self._sessions.get(current(), request.session))

    async def ListSessions(
        self, request: session_service_pb2.ListSessionsRequest, context: Any
    ) -> session_service_pb2.ListSessionsResponse:
        """List a user's sessions, newest first."""
        size = page_size(request.page_size)
        page = await self._sessions.list(current(), request.user, size, request.page_token)
        sessions = [session_to_proto(session) for session in page.items]
        return session_service_pb2.ListSessionsResponse(sessions=sessions, next_page_token=page.next_page_token)

    async def UpdateSession(
        self, request: session_service_pb2.UpdateSessionRequest, context: Any
    ) -> session_pb2.Session:
        """Replace a session's title, agent and labels."""
        new = request.session
        session = await self._sessions.update(current(), new.id, new.etag, draft_from_proto(new))
        return session_to_proto(session)

    async def DeleteSession(self, request: session_service_pb2.DeleteSessionRequest, context: Any) -> empty_pb2.Empty:
        """Delete a session with its runs."""
        await self._sessions.delete(current(), request.session)
        return empty_pb2.Empty()

    async def ListMessages(
        self, request: session_service_pb2.ListMessagesRequest, context: Any
    ) -> session_service_pb2.ListMessagesResponse:
        """List what was said, oldest first."""
        size = page_size(request.page_size)
        page = await self._sessions.messages(current(), request.session, size, request.page_token)
        messages = [message_to_proto(message) for message in page.items]
        return session_service_pb2.ListMessagesResponse(messages=messages, next_page_token=page.next_page_token)
