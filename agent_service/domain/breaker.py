"""Circuit breakers: what fails again and again is left alone for a while.

closed ── 5 failures in a row, within 30 s ──► open ── after 10 s, one probe ──► closed
                                                 ▲                   │ fails
                                                 └───────────────────┘
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from meshkit.errors import MeshError, Unavailable

__all__ = ["Breakers"]

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 10.0
# More keys than models and tenants of one process at work; the one that failed longest ago is forgotten.
_MAX_KEPT = 4096
_LEAST_RETRY_SECONDS = 0.1  # while a probe is on its way nobody knows how long it takes


@dataclass(slots=True)
class _Circuit:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    open_until: float | None = None
    probing: bool = False


class Breakers:
    """The circuits of one process, by key, whose first part is a tenant: what one tenant breaks stays whole for others.

    A call that neither fails nor succeeds (it was cancelled, or was refused as wrong) says nothing about a circuit.
    """

    def __init__(
        self, clock: Callable[[], float], changed: Callable[[Hashable, bool], None] = lambda _key, _open: None
    ) -> None:
        """`clock` gives seconds that only grow; `changed(key, is_open)` hears of every opening and closing."""
        self._clock, self._changed = clock, changed
        self._circuits: OrderedDict[Hashable, _Circuit] = OrderedDict()

    @contextmanager
    def watch(self, key: Hashable, counts: Callable[[MeshError], bool]) -> Iterator[None]:
        """Do what is inside the block; it failed when it raises a MeshError that `counts`.

        Raises Unavailable (CIRCUIT_OPEN), at once and before the block, while the circuit is open.
        """
        is_probe = self._enter(key)
        try:
            yield
        except BaseException as error:
            if isinstance(error, MeshError) and counts(error):
                self._failed(key, is_probe=is_probe)
            elif is_probe:
                self._circuits[key].probing = False  # the next one probes
            raise
        self._succeeded(key, is_probe=is_probe)

    def _enter(self, key: Hashable) -> bool:
        """Return whether this one is the probe of an open circuit."""
        circuit = self._circuits.get(key)
        if circuit is None or circuit.open_until is None:
            return False
        left = circuit.open_until - self._clock()
        if left > 0 or circuit.probing:
            raise Unavailable(
                "it failed so often that it is left alone for some seconds",
                reason="CIRCUIT_OPEN",
                retry_after=max(_LEAST_RETRY_SECONDS, left),
            )
        circuit.probing = True
        return True

    def _succeeded(self, key: Hashable, *, is_probe: bool) -> None:
        circuit = self._circuits.get(key)
        # An answer that was under way when the circuit opened does not close it: that is the probe's to do.
        if circuit is None or (circuit.open_until is not None and not is_probe):
            return
        del self._circuits[key]
        if is_probe:
            self._changed(key, False)

    def _failed(self, key: Hashable, *, is_probe: bool) -> None:
        circuit = self._circuits.setdefault(key, _Circuit())
        self._circuits.move_to_end(key)
        now = self._clock()
        if is_probe:
            circuit.open_until, circuit.probing = now + OPEN_SECONDS, False
        elif circuit.open_until is None:
            circuit.failures.append(now)
            if len(circuit.failures) == FAILURES and now - circuit.failures[0] <= WINDOW_SECONDS:
                circuit.open_until = now + OPEN_SECONDS
                self._changed(key, True)
        self._forget()

    def _forget(self) -> None:
        for key, circuit in list(self._circuits.items()) if len(self._circuits) > _MAX_KEPT else ():
            if not circuit.probing:  # a probe comes back to its circuit
                del self._circuits[key]
                return
