"""What fails again and again is left alone, and asked once before it is trusted again."""

import asyncio
from contextlib import suppress

import pytest

from agent_service.domain.breaker import FAILURES, OPEN_SECONDS, WINDOW_SECONDS, Breakers, Circuit
from meshkit.errors import InvalidArgument, MeshError, Unavailable
from meshkit.testing.clock import FrozenClock

MODEL = Circuit("acme", "model", "m-1")


def is_unavailable(error: MeshError) -> bool:
    return isinstance(error, Unavailable)


class Rig:
    """Breakers with a clock, and what they told."""

    def __init__(self) -> None:
        self.clock, self.told = FrozenClock(), list[tuple[Circuit, bool]]()
        self.breakers = Breakers(self.clock, lambda circuit, is_open: self.told.append((circuit, is_open)))

    def call(self, error: BaseException | None = None, circuit: Circuit = MODEL) -> None:
        with self.breakers.watch(circuit, is_unavailable):
            if error is not None:
                raise error

    def fail(self, times: int = 1, circuit: Circuit = MODEL) -> None:
        for _ in range(times):
            with pytest.raises(Unavailable, match=r"^down$"):
                self.call(Unavailable("down"), circuit)

    def refused(self, circuit: Circuit = MODEL) -> Unavailable:
        """Return how a call is refused that must not even begin."""
        with pytest.raises(Unavailable) as caught, self.breakers.watch(circuit, is_unavailable):
            pytest.fail("it was let through")
        assert caught.value.reason == "CIRCUIT_OPEN"
        return caught.value


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_it_opens_at_the_fifth_failure_and_tells_for_how_long(rig: Rig) -> None:
    rig.fail(FAILURES - 1)
    assert rig.told == []
    rig.fail()
    assert rig.told == [(MODEL, True)]
    assert rig.refused().retry_after == OPEN_SECONDS
    rig.clock.advance(4)
    assert rig.refused().retry_after == OPEN_SECONDS - 4


def test_failures_of_long_ago_do_not_count(rig: Rig) -> None:
    rig.fail()
    rig.clock.advance(WINDOW_SECONDS + 1)
    rig.fail(FAILURES - 1)
    rig.call()  # four within the window: still closed
    rig.fail(FAILURES - 1)
    rig.clock.advance(WINDOW_SECONDS)
    rig.fail()
    rig.refused()  # the fifth, just within


def test_a_success_in_between_begins_the_count_anew(rig: Rig) -> None:
    for _ in range(3):
        rig.fail(FAILURES - 1)
        rig.call()
    assert rig.told == []


@pytest.mark.parametrize("error", [InvalidArgument("wrong"), ValueError("odd"), asyncio.CancelledError()])
def test_what_says_nothing_of_its_health_does_not_count(rig: Rig, error: BaseException) -> None:
    for _ in range(FAILURES):
        with pytest.raises(type(error)):
            rig.call(error)
    rig.fail(FAILURES - 1)
    with pytest.raises(type(error)):
        rig.call(error)  # no success either
    rig.fail()
    rig.refused()


def test_one_probe_closes_it(rig: Rig) -> None:
    rig.fail(FAILURES)
    rig.clock.advance(OPEN_SECONDS)
    with rig.breakers.watch(MODEL, is_unavailable):
        assert rig.refused().retry_after == pytest.approx(0.1)  # the others wait for the probe
    assert rig.told == [(MODEL, True), (MODEL, False)]
    rig.fail(FAILURES - 1)  # the count began anew
    rig.call()


def test_a_probe_that_fails_keeps_it_open(rig: Rig) -> None:
    rig.fail(FAILURES)
    for _ in range(3):
        rig.clock.advance(OPEN_SECONDS)
        rig.fail()
        assert rig.refused().retry_after == OPEN_SECONDS
    assert rig.told == [(MODEL, True)]  # one opening, however many probes


@pytest.mark.parametrize("error", [asyncio.CancelledError(), InvalidArgument("wrong")])
def test_a_probe_that_says_nothing_leaves_the_place_to_the_next(rig: Rig, error: BaseException) -> None:
    rig.fail(FAILURES)
    rig.clock.advance(OPEN_SECONDS)
    with pytest.raises(type(error)):
        rig.call(error)
    rig.call()
    assert rig.told[-1] == (MODEL, False)


def test_what_was_under_way_when_it_opened_neither_closes_nor_prolongs_it(rig: Rig) -> None:
    with rig.breakers.watch(MODEL, is_unavailable):
        rig.fail(FAILURES)
    rig.refused()
    rig.clock.advance(OPEN_SECONDS)
    rig.call()
    with suppress(Unavailable), rig.breakers.watch(MODEL, is_unavailable):
        rig.fail(FAILURES)
        rig.clock.advance(4)
        raise Unavailable("late")
    assert rig.refused().retry_after == OPEN_SECONDS - 4


def test_tenants_kinds_and_names_are_apart(rig: Rig) -> None:
    rig.fail(FAILURES)
    others = [MODEL._replace(tenant="umbrella"), MODEL._replace(kind="tool"), MODEL._replace(name="m-2")]
    for other in others:
        rig.call(circuit=other)
    rig.refused()


def test_it_forgets_what_failed_longest_ago_but_never_a_probe(rig: Rig) -> None:
    """So many names fail that the memory of them must be bounded: 4,096."""
    rig.fail(FAILURES)
    rig.clock.advance(OPEN_SECONDS)
    second = MODEL._replace(name="second")
    rig.fail(FAILURES, second)
    with rig.breakers.watch(MODEL, is_unavailable):
        for number in range(4096):
            rig.fail(circuit=MODEL._replace(name=f"other-{number}"))
        rig.call(circuit=second)
        rig.refused()
    assert rig.told == [(MODEL, True), (second, True), (second, False), (MODEL, False)]
