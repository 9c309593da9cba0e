"""The ledger's contract over dictionaries, behind the mesh's real server: tokens, scopes and rules are checked.

It stands in for an orchestrator that has its own tests, so that the agent's need no database. A run that it does not
know may do everything. It serves in a thread of its own, so that one may last for a session of tests.
"""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agentmesh.agent.v1 import activity_pb2
from agentmesh.orchestrator.v1 import file_pb2, ledger_service_pb2
from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)

from meshkit import context
from meshkit.auth.authenticator import build_authenticator
from meshkit.config import ServiceSettings
from meshkit.errors import Aborted, MeshError, NotFound, ResourceExhausted
from meshkit.rpc.server import MeshServer
from meshkit.testing.credentials import TestTokens
from meshkit.testing.serving import serving

Begin = ledger_service_pb2.BeginStepRequest
Verdict = ledger_service_pb2.BeginStepResponse
Script = Callable[[Begin], Verdict | MeshError | None]
"""Decides about a step in place of the peer; None leaves it to it."""

_MODEL = activity_pb2.STEP_KIND_MODEL


@dataclass
class Book:
    """What the peer knows of one run."""

    steps: dict[tuple[int, bytes, int], str] = field(default_factory=dict)
    results: dict[str, ledger_service_pb2.CompleteStepRequest] = field(default_factory=dict)
    asked: list[Begin] = field(default_factory=list)
    completed: list[ledger_service_pb2.CompleteStepRequest] = field(default_factory=list)
    read_ahead: list[str] = field(default_factory=list)
    attempt: int = 0
    files: dict[str, bytes] = field(default_factory=dict)


class LedgerPeer(LedgerServiceServicer):
    """Books by run."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = defaultdict(Book)
        self.scripts: dict[str, Script] = {}
        self.limits: dict[str, dict[str, int]] = {}
        self.address = ""

    async def BeginStep(self, request: Begin, _context: Any) -> Verdict:  # noqa: N802 - the contract's name
        run, book = self._book()
        book.asked.append(request)
        if script := self.scripts.get(run):
            decided = script(request)
            if isinstance(decided, MeshError):
                raise decided
            if decided is not None:
                return decided
        key = (request.kind, request.digest, request.occurrence)
        step = book.steps.get(key)
        if step in book.results:
            return Verdict(step=step, replay={"result": book.results[step].result})
        if step is None:
            self._refuse_too_much(run, book, request)
            kind = "model" if request.kind == _MODEL else "tool"
            step = book.steps[key] = f"{kind}-{len(book.steps) + 1}"
        return Verdict(step=step, execute={"idempotency_key": f"{run}/{step}"})

    async def ReplaySteps(  # noqa: N802
        self, request: ledger_service_pb2.ReplayStepsRequest, _context: Any
    ) -> ledger_service_pb2.ReplayStepsResponse:
        _run, book = self._book()
        book.read_ahead.append(request.after)
        after = int(request.after.rpartition("-")[2])
        return ledger_service_pb2.ReplayStepsResponse(
            steps=[
                ledger_service_pb2.RecordedStep(
                    step=step, kind=kind, digest=digest, occurrence=nth, replay={"result": book.results[step].result}
                )
                for (kind, digest, nth), step in book.steps.items()
                if step in book.results and int(step.rpartition("-")[2]) > after
            ]
        )

    async def CompleteStep(self, request: Any, _context: Any) -> ledger_service_pb2.CompleteStepResponse:  # noqa: N802
        _run, book = self._book()
        book.completed.append(request)
        if request.HasField("result"):
            book.results.setdefault(request.step, request)
        return ledger_service_pb2.CompleteStepResponse()

    async def PutFile(self, request: Any, _context: Any) -> ledger_service_pb2.PutFileResponse:  # noqa: N802
        run, book = self._book()
        assert request.step in book.steps.values()
        book.files[request.name] = request.content
        file = file_pb2.File(name=request.name, media_type=request.media_type, size=len(request.content), run=run)
        return ledger_service_pb2.PutFileResponse(file=file)

    async def ReadFile(self, request: Any, _context: Any) -> ledger_service_pb2.ReadFileResponse:  # noqa: N802
        _run, book = self._book()
        if request.name not in book.files:
            raise NotFound("no such file")
        return ledger_service_pb2.ReadFileResponse(content=book.files[request.name])

    async def FindFiles(self, _request: Any, _context: Any) -> ledger_service_pb2.FindFilesResponse:  # noqa: N802
        _run, book = self._book()
        return ledger_service_pb2.FindFilesResponse(files=[file_pb2.File(name=name) for name in sorted(book.files)])

    def _book(self) -> tuple[str, Book]:
        run, _, attempt = context.current().bound.rpartition("/")
        book = self.books[run]
        if int(attempt) < book.attempt:
            raise Aborted("another attempt has begun", reason="ATTEMPT_SUPERSEDED")
        book.attempt = int(attempt)
        return run, book

    def _refuse_too_much(self, run: str, book: Book, request: Begin) -> None:
        kinds = Counter("max_model_calls" if kind == _MODEL else "max_tool_calls" for kind, _, _ in book.steps)
        kind = "max_model_calls" if request.kind == _MODEL else "max_tool_calls"
        used = {
            kind: kinds[kind],
            "max_tokens": sum(each.usage.input_tokens + each.usage.output_tokens for each in book.completed),
        }
        for limit, value in self.limits.get(run, {}).items():
            if used.get(limit, -1) >= value:
                metadata = {"limit": limit, "value": str(value)}
                raise ResourceExhausted(f"the run reached {limit}", reason="LIMIT_REACHED", metadata=metadata)


@contextmanager
def ledger_server(
    tokens: TestTokens, *, listen: str = "127.0.0.1:0", peer: LedgerPeer | None = None
) -> Iterator[LedgerPeer]:
    """Serve a ledger, on a free port of the loopback unless told where; `peer` goes on with what another kept."""
    peer = peer or LedgerPeer()
    ready, stopping = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        config = ServiceSettings(**{**tokens.settings().model_dump(), "listen": listen, "shutdown_grace": 0.5})
        server = MeshServer(config, build_authenticator(config, service="orchestrator"))
        server.add(add_LedgerServiceServicer_to_server, peer, "agentmesh.orchestrator.v1.LedgerService")
        async with serving(server) as peer.address:
            ready.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="ledger")
    thread.start()
    try:
        assert ready.wait(10)
        yield peer
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()


def token(tokens: TestTokens, run: str, attempt: int) -> str:
    """Return the token of an attempt, as the orchestrator makes it."""
    return tokens.service_token(
        "ledger.write", service="agent", audience="orchestrator", subject="ada", bound=f"{run}/{attempt}"
    )
