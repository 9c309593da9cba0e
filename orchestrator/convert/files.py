"""Files of sessions."""

from agentmesh.orchestrator.v1 import file_pb2, file_service_pb2, ledger_service_pb2

from orchestrator.convert.agents import timestamp
from orchestrator.domain.files import File, FileDraft

__all__ = ["draft_from_proto", "file_to_proto"]


def draft_from_proto(request: file_service_pb2.CreateFileRequest | ledger_service_pb2.PutFileRequest) -> FileDraft:
    """Return the file that is to be stored."""
    return FileDraft(request.name, request.media_type or "application/octet-stream", request.content)


def file_to_proto(file: File) -> file_pb2.File:
    """Return the file as a message."""
    return file_pb2.File(
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        digest=file.digest.hex(),
        run=file.run,
        create_time=timestamp(file.create_time),
    )
