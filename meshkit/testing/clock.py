"""A clock that moves only when it is told to."""

__all__ = ["FrozenClock"]


class FrozenClock:
    """Seconds; call it to read, `advance` it to let time pass."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
