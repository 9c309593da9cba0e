"""`domain.files.Files` over the ledger's contract, with the token of the attempt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from agentmesh.orchestrator.v1.ledger_service_pb2 import FindFilesRequest, PutFileRequest, ReadFileRequest
from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import LedgerServiceStub

from agent_service.domain.events import FileWritten
from agent_service.domain.files import FILE_NAME, MAX_FILE_BYTES, Files
from agent_service.domain.tool import ToolError, ToolRun
from meshkit.errors import NotFound, ResourceExhausted
from meshkit.rpc.channel import MeshChannel

if TYPE_CHECKING:  # the name exists for type checkers only
    from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

__all__ = ["MeshFiles"]


class MeshFiles:
    """Opens the files of sessions."""

    def __init__(self, channel: MeshChannel) -> None:
        """Take a channel to the ledger without credentials of its own; its owner closes it."""
        self._stub = cast("LedgerServiceAsyncStub", LedgerServiceStub(channel))

    def of(self, run: ToolRun) -> Files:
        """Return the files of the run's session, for one tool call."""
        return _SessionFiles(self._stub, run)


class _SessionFiles:
    def __init__(self, stub: "LedgerServiceAsyncStub", run: ToolRun) -> None:
        self._stub, self._step = stub, run.step
        self._credentials = (("authorization", f"Bearer {run.task.ledger_token}"),)

    async def read(self, name: str) -> bytes:
        """Return a file's content."""
        if FILE_NAME.match(name):
            try:
                answer = await self._stub.ReadFile(ReadFileRequest(name=name), metadata=self._credentials)
            except NotFound:
                pass
            else:
                return answer.content
        names = ", ".join(await self.list()) or "none"
        raise ToolError(f"There is no file of that name in this conversation. The files are: {names}.")

    async def write(self, name: str, media_type: str, content: bytes) -> FileWritten:
        """Store a file."""
        if not FILE_NAME.match(name):
            raise ToolError(
                "A file's name has at most 128 letters, digits, blanks, dots, underscores and hyphens, and begins with "
                "a letter or a digit."
            )
        if len(content) > MAX_FILE_BYTES:
            raise ToolError(f"{name} is larger than {MAX_FILE_BYTES:,} bytes, the most that a file may have.")
        request = PutFileRequest(step=self._step, name=name, media_type=media_type, content=content)
        try:
            answer = await self._stub.PutFile(request, metadata=self._credentials)
        except ResourceExhausted as error:
            if error.reason != "SESSION_FULL":
                raise
            raise ToolError(f"{name} was not stored: {error.message}.") from None
        return FileWritten(answer.file.name, answer.file.media_type, answer.file.size)

    async def list(self) -> Sequence[str]:
        """Return the names of all files."""
        answer = await self._stub.FindFiles(FindFilesRequest(), metadata=self._credentials)
        return [file.name for file in answer.files]
