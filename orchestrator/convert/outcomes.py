"""What steps bring: as the contract says it, and as it is stored, once for all runs of a tenant."""

from agentmesh.agent.v1 import activity_pb2
from agentmesh.orchestrator.v1 import step_pb2

from meshkit.errors import InvalidArgument
from orchestrator.domain.steps import Outcome, Source, ToolOutcome, WrittenFile

__all__ = ["outcome_from_bytes", "outcome_from_proto", "outcome_to_bytes", "outcome_to_proto"]


def outcome_to_proto(outcome: Outcome) -> step_pb2.StepResult:
    """Return the outcome as a message."""
    if isinstance(outcome, str):
        return step_pb2.StepResult(completion=outcome)
    tool = step_pb2.ToolOutcome(
        content=outcome.content,
        is_error=outcome.is_error,
        memory=outcome.memory,
        sources=[activity_pb2.Source(uri=source.uri, title=source.title) for source in outcome.sources],
        files=[
            activity_pb2.FileWritten(name=file.name, media_type=file.media_type, size=file.size)
            for file in outcome.files
        ],
    )
    return step_pb2.StepResult(tool=tool)


def outcome_from_proto(result: step_pb2.StepResult) -> Outcome:
    """Return the outcome that a message tells. Raises InvalidArgument for an empty one."""
    match result.WhichOneof("result"):
        case "completion":
            return result.completion
        case "tool":
            sources = tuple(Source(source.uri, source.title) for source in result.tool.sources)
            files = tuple(WrittenFile(file.name, file.media_type, file.size) for file in result.tool.files)
            return ToolOutcome(result.tool.content, result.tool.is_error, result.tool.memory, sources, files)
    raise InvalidArgument("a result is a completion or a tool's answer", field="result")


def outcome_to_bytes(outcome: Outcome) -> bytes:
    """Return what is stored: the same bytes for the same outcome, since their digest names them."""
    return outcome_to_proto(outcome).SerializeToString(deterministic=True)


def outcome_from_bytes(content: bytes) -> Outcome:
    """Return the outcome that was stored."""
    return outcome_from_proto(step_pb2.StepResult.FromString(content))
