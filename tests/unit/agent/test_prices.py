"""Prices as an operator writes them, and what a call costs by them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_service.domain.prices import Prices

PRICES = Prices.parse("small=0.15/0.60, org/large:v2=2.5/10,,free=0/0")


@pytest.mark.parametrize(
    ("models", "read", "written", "cost"),
    [
        (("small",), 1_000_000, 1_000_000, 750_000),
        (("small",), 100, 10, 21),
        (("small",), 1, 0, 0),  # 0.15 of a millionth
        (("small",), 0, 1, 1),  # 0.6 of a millionth
        (("org/large:v2",), 3, 1, 18),  # 17.5, to the even one
        (("free",), 9_999, 9_999, 0),
        (("unknown",), 9_999, 9_999, 0),
        (("small-2026-01-01", "small"), 100, 10, 21),  # endpoints answer with names of their own
        (("small", "org/large:v2"), 100, 10, 21),
        (("free", "small"), 100, 10, 0),
    ],
)
def test_the_first_name_with_a_price_tells_the_cost(
    models: tuple[str, ...], read: int, written: int, cost: int
) -> None:
    assert PRICES.cost(models, read, written) == cost


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.decimals(0, 1_000_000, places=4))
def test_a_cost_is_within_half_a_millionth_of_the_truth(read: int, written: int, price: Decimal) -> None:
    cost = Prices({"m": (price, price)}).cost(("m",), read, written)
    assert abs(cost - (read + written) * price) <= Decimal("0.5")


def test_without_prices_nothing_costs() -> None:
    assert Prices.parse("").cost(("small",), 10**9, 10**9) == 0


@pytest.mark.parametrize(
    "text",
    [
        *("small", "small=1", "small=1/", "small=/1", "=1/1", "small=1/x", "small=-1/1", "small=1/NaN", "small=inf/1"),
        *("small=1/1000001", "small=1/2/3", "small=1/1 large=2/2"),
    ],
)
def test_what_is_no_price_list_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="write model=read/written"):
        Prices.parse(text)
