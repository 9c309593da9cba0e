"""Circuit breakers: what fails again and again is left alone for a while.

closed ── 5 failures in a row, within 30 s ──► open ── after 10 s, one probe ──► closed
                                                 ▲                   │ fails
                                                 └───────────────────┘
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from meshkit.errors import MeshError, Unavailable

__all__ = ["Breakers", "Circuit"]

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 10.0
# More than the models and tools of the tenants that one process serves; what failed longest ago is forgotten.
_MAX_KEPT = 4096
_LEAST_RETRY_SECONDS = 0.1  # while a probe is on its way nobody knows how long it takes


class Circuit(NamedTuple):
    """What is left alone as one; what one tenant breaks stays whole for the others."""

    tenant: str
    kind: Literal["model", "tool"]
    name: str


@dataclass(slots=True)
class _State:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    open_until: float | None = None
    probing: bool = False


class Breakers:
    """The circuits of one process.

    A call that neither fails nor succeeds (it was cancelled, or was refused as wrong) says nothing about a circuit.
    """

    def __init__(
        self, clock: Callable[[], float], changed: Callable[[Circuit, bool], None] = lambda _circuit, _open: None
    ) -> None:
        """`clock` gives seconds that only grow; `changed(circuit, is_open)` hears of every opening and closing."""
        self._clock, self._changed = clock, changed
        self._states: OrderedDict[Circuit, _State] = OrderedDict()

    @contextmanager
    def watch(self, circuit: Circuit, counts: Callable[[MeshError], bool]) -> Iterator[None]:
        """Do what is inside the block; it failed when it raises a MeshError that `counts`.

        Raises Unavailable (CIRCUIT_OPEN), at once and before the block, while the circuit is open.
        """
        is_probe = self._enter(circuit)
        try:
            yield
        except BaseException as error:
            if isinstance(error, MeshError) and counts(error):
                self._failed(circuit, is_probe=is_probe)
            elif is_probe:
                self._states[circuit].probing = False  # the next one probes
            raise
        self._succeeded(circuit, is_probe=is_probe)

    def _enter(self, circuit: Circuit) -> bool:
        """Return whether this one is the probe of an open circuit."""
        state = self._states.get(circuit)
        if state is None or state.open_until is None:
            return False
        left = state.open_until - self._clock()
        if left > 0 or state.probing:
            raise Unavailable(
                f"the {circuit.kind} failed so often that it is left alone for some seconds",
                reason="CIRCUIT_OPEN",
                retry_after=max(_LEAST_RETRY_SECONDS, left),
            )
        state.probing = True
        return True

    def _succeeded(self, circuit: Circuit, *, is_probe: bool) -> None:
        state = self._states.get(circuit)
        # An answer that was under way when the circuit opened does not close it: that is the probe's to do.
        if state is None or (state.open_until is not None and not is_probe):
            return
        self._drop(circuit)

    def _failed(self, circuit: Circuit, *, is_probe: bool) -> None:
        state = self._states.setdefault(circuit, _State())
        self._states.move_to_end(circuit)
        now = self._clock()
        if is_probe:
            state.open_until, state.probing = now + OPEN_SECONDS, False
        elif state.open_until is None:
            state.failures.append(now)
            if len(state.failures) == FAILURES and now - state.failures[0] <= WINDOW_SECONDS:
                state.open_until = now + OPEN_SECONDS
                self._changed(circuit, True)
        if len(self._states) > _MAX_KEPT:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        for circuit, state in self._states.items():
            if not state.probing:  # a probe comes back to its circuit
                self._drop(circuit)
                return

    def _drop(self, circuit: Circuit) -> None:
        if self._states.pop(circuit).open_until is not None:
            self._changed(circuit, False)
