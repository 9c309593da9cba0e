"""Circuit breakers: what fails again and again is left alone for a while.

closed ── 5 failures within 30 s ──► open ── 10 s ──► one probe ── succeeds ──► closed
▲                  └─ fails ─┐
└────────────────────────────┘
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from meshkit.errors import Unavailable

__all__ = ["Breakers"]

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 10.0
# More keys than models and tenants of one process at work; the one that was used longest ago is forgotten.
_MAX_KEPT = 4096


@dataclass(slots=True)
class _Circuit:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    open_until: float | None = None
    probing: bool = False


class Breakers:
    """The circuits of one process, by key: (tenant, model) or (tenant, tool)."""

    def __init__(
        self, clock: Callable[[], float], changed: Callable[[Hashable, bool], None] = lambda _key, _open: None
    ) -> None:
        """`clock` gives seconds that only grow; `changed(key, is_open)` hears of every opening and closing."""
        self._clock, self._changed = clock, changed
        self._circuits: OrderedDict[Hashable, _Circuit] = OrderedDict()

    def enter(self, key: Hashable) -> None:
        """Ask to go on. Raises Unavailable (CIRCUIT_OPEN) while the circuit is open. Tell the outcome afterwards."""
        circuit = self._circuits.get(key)
        if circuit is None or circuit.open_until is None:
            return
        left = circuit.open_until - self._clock()
        if left > 0 or circuit.probing:
            raise Unavailable(
                "it failed so often that it is left alone for some seconds",
                reason="CIRCUIT_OPEN",
                retry_after=max(0.1, left),
            )
        circuit.probing = True

    def succeeded(self, key: Hashable) -> None:
        """Note a success: the circuit is closed."""
        circuit = self._circuits.pop(key, None)
        if circuit is not None and circuit.open_until is not None:
            self._changed(key, False)

    def failed(self, key: Hashable) -> None:
        """Note a failure."""
        circuit = self._circuits.setdefault(key, _Circuit())
        self._circuits.move_to_end(key)
        if len(self._circuits) > _MAX_KEPT:
            self._circuits.popitem(last=False)
        now = self._clock()
        circuit.failures.append(now)
        many = len(circuit.failures) == FAILURES and now - circuit.failures[0] <= WINDOW_SECONDS
        if circuit.probing or (many and circuit.open_until is None):
            if circuit.open_until is None:
                self._changed(key, True)
            circuit.open_until, circuit.probing = now + OPEN_SECONDS, False

    def left(self, key: Hashable) -> None:
        """Note that it was given up before there was an outcome: another one may probe."""
        if (circuit := self._circuits.get(key)) is not None:
            circuit.probing = False
