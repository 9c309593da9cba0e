# ruff: noqa: N802 - the contract names the methods
"""LedgerService, for agents: the token of a call names the attempt that makes it."""

from typing import Any

from agentmesh.orchestrator.v1 import ledger_service_pb2, ledger_service_pb2_grpc

from meshkit.context import current
from orchestrator.convert.files import draft_from_proto, file_to_proto
from orchestrator.convert.steps import (
    ask_from_proto,
    attempt_of,
    outcome_of,
    recorded_to_proto,
    step_name,
    usage_from_proto,
    verdict_to_proto,
)
from orchestrator.domain.files import Files
from orchestrator.domain.gate import Gate

__all__ = ["LedgerServicer"]


class LedgerServicer(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Serves the gate, and the files of a run's session."""

    def __init__(self, gate: Gate, files: Files) -> None:
        self._gate, self._files = gate, files

    async def BeginStep(
        self, request: ledger_service_pb2.BeginStepRequest, context: Any
    ) -> ledger_service_pb2.BeginStepResponse:
        """Say what is to be done about a step."""
        verdict = await self._gate.begin(attempt_of(current()), ask_from_proto(request))
        return verdict_to_proto(verdict)

    async def ReplaySteps(
        self, request: ledger_service_pb2.ReplayStepsRequest, context: Any
    ) -> ledger_service_pb2.ReplayStepsResponse:
        """Give what the run has done."""
        steps = await self._gate.recorded(attempt_of(current()), step_name(request.after))
        return ledger_service_pb2.ReplayStepsResponse(steps=map(recorded_to_proto, steps))

    async def CompleteStep(
        self, request: ledger_service_pb2.CompleteStepRequest, context: Any
    ) -> ledger_service_pb2.CompleteStepResponse:
        """Record what a step brought."""
        usage = usage_from_proto(request.usage)
        await self._gate.complete(attempt_of(current()), step_name(request.step), outcome_of(request), usage)
        return ledger_service_pb2.CompleteStepResponse()

    async def PutFile(
        self, request: ledger_service_pb2.PutFileRequest, context: Any
    ) -> ledger_service_pb2.PutFileResponse:
        """Store a file as the work of a step."""
        file = await self._files.put(attempt_of(current()), step_name(request.step), draft_from_proto(request))
        return ledger_service_pb2.PutFileResponse(file=file_to_proto(file))

    async def ReadFile(
        self, request: ledger_service_pb2.ReadFileRequest, context: Any
    ) -> ledger_service_pb2.ReadFileResponse:
        """Read a file of the run's session."""
        file, content = await self._files.read(attempt_of(current()), request.name)
        return ledger_service_pb2.ReadFileResponse(file=file_to_proto(file), content=content)

    async def FindFiles(
        self, request: ledger_service_pb2.FindFilesRequest, context: Any
    ) -> ledger_service_pb2.FindFilesResponse:
        """List the files of the run's session."""
        files = await self._files.find(attempt_of(current()))
        return ledger_service_pb2.FindFilesResponse(files=map(file_to_proto, files))
