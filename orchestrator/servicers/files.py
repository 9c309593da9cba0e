# ruff: noqa: N802 - the contract names the methods
"""FileService."""

from typing import Any

from agentmesh.orchestrator.v1 import file_pb2, file_service_pb2, file_service_pb2_grpc
from google.protobuf import empty_pb2

from meshkit.context import current
from meshkit.paging import page_size
from orchestrator.convert.files import draft_from_proto, file_to_proto
from orchestrator.convert.runs import request_key
from orchestrator.domain.files import Files

__all__ = ["FileServicer"]


class FileServicer(file_service_pb2_grpc.FileServiceServicer):
    """Serves files to callers."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def CreateFile(self, request: file_service_pb2.CreateFileRequest, context: Any) -> file_pb2.File:
        """Store a file."""
        caller = current()
        key = request_key(caller, "CreateFile", request)
        return file_to_proto(await self._files.create(caller, key, request.session, draft_from_proto(request)))

    async def GetFile(self, request: file_service_pb2.GetFileRequest, context: Any) -> file_service_pb2.GetFileResponse:
        """Read a file with its content."""
        file, content = await self._files.get(current(), request.session, request.name)
        return file_service_pb2.GetFileResponse(file=file_to_proto(file), content=content)

    async def ListFiles(
        self, request: file_service_pb2.ListFilesRequest, context: Any
    ) -> file_service_pb2.ListFilesResponse:
        """List a session's files by name."""
        size = page_size(request.page_size)
        page = await self._files.list(current(), request.session, size, request.page_token)
        return file_service_pb2.ListFilesResponse(
            files=map(file_to_proto, page.items), next_page_token=page.next_page_token
        )

    async def DeleteFile(self, request: file_service_pb2.DeleteFileRequest, context: Any) -> empty_pb2.Empty:
        """Delete a file."""
        await self._files.delete(current(), request.session, request.name)
        return empty_pb2.Empty()
