"""The table of errors, both ways: every reason of the proto, every class, and what foreign peers send."""

import grpc
import pytest
from agentmesh.errors.v1 import reason_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from meshkit import errors
from meshkit.rpc.failure import from_failure, to_failure
from meshkit.rpc.status import DOMAIN, REASON_CODES, error_of, from_rpc_error, from_status, to_status

FAMILIES = errors.MeshError.__subclasses__()


def over_the_wire(status: status_pb2.Status) -> grpc.aio.AioRpcError:
    """Return what a client gets of a status, through the same library that the server sends it with."""
    sent = rpc_status.to_status(status)
    trailers = grpc.aio.Metadata.from_tuple(sent.trailing_metadata)
    return grpc.aio.AioRpcError(sent.code, grpc.aio.Metadata(), trailers, sent.details)


def test_the_table_holds_every_reason_of_the_proto() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
    assert REASON_CODES.keys() == names - {"UNSPECIFIED"}
    assert len(REASON_CODES) >= 25


@pytest.mark.parametrize("reason", REASON_CODES)
def test_every_reason_has_a_code_that_a_family_raises(reason: str) -> None:
    code = REASON_CODES[reason]
    assert code in {cls.code for cls in FAMILIES}
    assert len(reason) <= 63
    assert reason.isupper()


@pytest.mark.parametrize("reason", REASON_CODES)
def test_every_reason_survives_the_wire(reason: str) -> None:
    sent = error_of(reason, f"about {reason}")
    sent.metadata = {"limit": "3"}
    sent.field_violations = (errors.FieldViolation("a.b[2]", "too long"),)
    sent.retry_after = 0.25
    received = from_rpc_error(over_the_wire(to_status(sent)))
    assert type(received) is type(sent)
    assert received.code == REASON_CODES[reason]
    for name in ("reason", "message", "metadata", "field_violations", "retry_after"):
        assert getattr(received, name) == getattr(sent, name)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_code_and_a_reason_that_agree(family: type[errors.MeshError]) -> None:
    assert getattr(grpc.StatusCode, family.code)
    assert REASON_CODES[family.default_reason] == family.code
    assert errors.family(family.code) is family
    received = from_rpc_error(over_the_wire(to_status(family("why"))))
    assert (type(received), received.message, received.reason) == (family, "why", family.default_reason)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_a_peer_without_details_is_judged_by_its_code(code: grpc.StatusCode) -> None:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "at ipv4:10.0.0.7:50051")
    received = from_rpc_error(error)
    expected = "INTERNAL" if code.name in {"UNKNOWN", "DATA_LOSS"} else code.name
    assert received.code == expected
    if code.name in {"UNAVAILABLE", "INTERNAL", "UNKNOWN"}:
        assert "10.0.0.7" not in received.message


def test_an_unknown_reason_falls_back_to_its_code() -> None:
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="gone")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="OF_NEXT_YEAR", domain=DOMAIN))
    received = from_status(status)
    assert isinstance(received, errors.NotFound)
    assert received.reason == "OF_NEXT_YEAR"


def test_a_reason_of_another_domain_is_not_ours() -> None:
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="gone")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="RATE_LIMITED", domain="example.com"))
    assert from_status(status).reason == "NOT_FOUND"


def test_broken_details_do_not_hide_the_error() -> None:
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    error = grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, grpc.aio.Metadata(), trailers, "changed")
    assert from_rpc_error(error).message == "changed"
    status = status_pb2.Status(code=10, message="changed")
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    assert isinstance(from_status(status), errors.Aborted)


def test_the_largest_error_fits_into_the_headers() -> None:
    violations = [errors.FieldViolation("f" * 500, "d" * 5000)] * 500
    status = to_status(errors.InvalidArgument("m" * 100_000, field_violations=violations))
    assert status.ByteSize() < 12 * 1024


def test_a_failure_keeps_the_chain_of_causes() -> None:
    try:
        try:
            raise errors.DeadlineExceeded("no first token", reason="MODEL_TIMEOUT")
        except errors.MeshError as cause:
            raise errors.Internal("the agent gave up", reason="AGENT_FAILED") from cause
    except errors.MeshError as error:
        failure = to_failure(error, "agent")
    assert failure.reason == reason_pb2.ERROR_REASON_AGENT_FAILED
    assert failure.cause.reason == reason_pb2.ERROR_REASON_MODEL_TIMEOUT
    assert not failure.cause.HasField("cause")
    back = from_failure(failure)
    assert (type(back), back.reason, back.message) == (errors.Internal, "AGENT_FAILED", "the agent gave up")
    assert isinstance(back.__cause__, errors.DeadlineExceeded)


def test_a_failure_tells_no_text_of_a_defect_and_no_secret() -> None:
    error = errors.Unavailable("refused, key sk-abcdefghijklmnop")
    error.__cause__ = ValueError("password=hunter2hunter2")
    failure = to_failure(error, "model")
    assert "sk-abc" not in failure.message
    assert failure.cause.message == "ValueError"
    assert failure.cause.reason == reason_pb2.ERROR_REASON_INTERNAL


def test_a_failure_is_four_deep_at_most() -> None:
    error: BaseException = ValueError("innermost")
    for number in range(8):
        outer = errors.Aborted(str(number))
        outer.__cause__ = error
        error = outer
    failure, depth = to_failure(error, "agent"), 1
    while failure.HasField("cause"):
        failure, depth = failure.cause, depth + 1
    assert depth == 4
