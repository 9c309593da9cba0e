"""How a model call fails: the two reasons of the contract, in words that hold nothing of what the endpoint sent."""

from meshkit.errors import DeadlineExceeded, MeshError, Unavailable

__all__ = ["model_failed", "model_timeout", "status_of"]


def model_failed(message: str, *, status: int | None = None, retry_after: float | None = None) -> MeshError:
    """Return MODEL_FAILED; `status` is the endpoint's HTTP status, `retry_after` the seconds that it asked to wait."""
    metadata = {} if status is None else {"http_status": str(status)}
    return Unavailable(message, reason="MODEL_FAILED", metadata=metadata, retry_after=retry_after)


def model_timeout(message: str) -> MeshError:
    """Return MODEL_TIMEOUT."""
    return DeadlineExceeded(message, reason="MODEL_TIMEOUT")


def status_of(error: MeshError) -> int | None:
    """Return the endpoint's HTTP status; None: there was none, or it is what follows a good one that failed."""
    status = error.metadata.get("http_status")
    return None if status is None else int(status)
