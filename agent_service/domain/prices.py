"""What models cost: prices per million tokens, and the cost of a call in millionths of their currency."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

__all__ = ["Prices"]

_MAX_PRICE = 1_000_000  # what a token may cost at most is 1; a slip of more zeros would not fit a run's sum


class Prices:
    """The prices of models; a model without one costs nothing."""

    def __init__(self, prices: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        """Take, by model, the price of a million tokens read and of a million written."""
        self._prices = dict(prices)

    @classmethod
    def parse(cls, text: str) -> "Prices":
        """Read `model=read/written,…`, e.g. `gpt-x=2.50/10`. Raises ValueError."""
        prices = {}
        for part in filter(None, (each.strip() for each in text.split(","))):
            model, _, both = part.rpartition("=")
            read, _, written = both.partition("/")
            try:
                prices[model] = Decimal(read), Decimal(written)
            except InvalidOperation:
                raise ValueError("write model=read/written, several separated by commas") from None
            # A name with a space in it is two prices without their comma.
            fits = all(price.is_finite() and 0 <= price <= _MAX_PRICE for price in prices[model])
            if not fits or model.split() != [model]:
                raise ValueError(f"write model=read/written with prices from 0 to {_MAX_PRICE}")
        return cls(prices)

    def cost(self, models: tuple[str, ...], input_tokens: int, output_tokens: int) -> int:
        """Return the cost in millionths, by the first of these names that has a price."""
        for model in models:
            if (price := self._prices.get(model)) is not None:
                return round(input_tokens * price[0] + output_tokens * price[1])
        return 0
