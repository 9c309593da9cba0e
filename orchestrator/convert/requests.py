"""What runs ask of people, and what people answer."""

from agentmesh.orchestrator.v1 import input_request_pb2, run_control_pb2

from orchestrator.convert.agents import timestamp
from orchestrator.domain.requests import Reply
from orchestrator.domain.steps import Answer, InputRequest

__all__ = ["reply_from_proto", "request_to_proto"]


def request_to_proto(request: InputRequest) -> input_request_pb2.InputRequest:
    """Return what a run asks as a message."""
    return input_request_pb2.InputRequest(
        id=request.id,
        run=request.run,
        step=request.step,
        kind=f"INPUT_KIND_{request.kind}",
        tool=request.tool,
        arguments=request.arguments,
        arguments_digest=request.arguments_digest,
        question=request.question,
        create_time=timestamp(request.create_time),
        expire_time=timestamp(request.expire_time),
    )


def reply_from_proto(request: run_control_pb2.RespondToRequestRequest) -> Reply:
    """Return what a person answers."""
    match request.WhichOneof("decision"):
        case "approve":
            approve = request.approve
            answer = Answer.EDITED if approve.edited_arguments else Answer.APPROVED
            return Reply(answer, text=approve.edited_arguments, digest=approve.arguments_digest)
        case "deny":
            return Reply(Answer.DENIED, text=request.deny.reason)
        case _:  # the contract requires one of the three
            return Reply(Answer.TEXT, text=request.answer.text)
