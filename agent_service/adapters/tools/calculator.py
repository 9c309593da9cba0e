"""The tool `calculator`: exact arithmetic on an expression, without `eval` and within fixed bounds.

Whole numbers stay whole and `0.1 + 0.2` is `0.3`: it reckons with integers and decimals of 40 digits. Nothing but
numbers, operators and the functions listed here can be said, and no result may grow large enough to take long.
"""

import ast
import decimal
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import Field

from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["Calculator", "calculate"]

Number = int | Decimal

_MAX_LENGTH = 1000
_MAX_BITS = 8192  # about 2,466 digits; the largest product of two such takes microseconds
_MAX_FACTORIAL = 500
_CONTEXT = decimal.Context(prec=40, Emax=9999, Emin=-9999)
_DIGITS = decimal.Context(prec=30, Emax=9999, Emin=-9999)
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**"})  # noqa: RUF001 - what people type


class _Arguments(Arguments):
    expression: str = Field(
        min_length=1,
        max_length=_MAX_LENGTH,
        description="An arithmetic expression, e.g. `(12.5 * 7) ^ 2 / sqrt(3)`. Operators: + - * / // % ^. "
        "Functions: sqrt, exp, ln, log10, log2, sin, cos, tan, asin, acos, atan (radians), abs, round, floor, ceil, "
        "min, max, sum, factorial, gcd. Constants: pi, e.",
    )


class Calculator:
    """Reckons."""

    name = "calculator"
    description = "Evaluates an arithmetic expression exactly. Use it for every calculation."
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 5.0
    repeatable = True
    writes_memory = False

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Return the value."""
        return ToolAnswer(calculate(check(_Arguments, arguments).expression))


def calculate(expression: str) -> str:
    """Return the value of the expression as text. Raises ToolError for what it cannot or must not reckon."""
    try:
        tree = ast.parse(expression.strip().translate(_SIGNS), mode="eval")
        with decimal.localcontext(_CONTEXT):
            return _shown(_value(tree.body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolError("This is no arithmetic expression that I can read.") from None
    except ZeroDivisionError:
        raise ToolError("This divides by zero.") from None
    except (decimal.InvalidOperation, decimal.Overflow, OverflowError):
        raise ToolError("This has no value, or one that is too large.") from None


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool()):
            raise ToolError("True and False are no numbers.")
        case ast.Constant(value=int(number)):
            return _bounded(number)
        case ast.Constant(value=float()):
            # The text, not the float: 0.1 has no exact float.
            return Decimal(repr(node.value))
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _bounded(_OPERATORS[type(sign)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            least, most, function = _FUNCTIONS[name]
            if not least <= len(args) <= most:
                raise ToolError(f"{name} takes {least}{'' if least == most else ' or more'} numbers.")
            return _bounded(function(*(_value(each) for each in args)))
    raise ToolError("Only numbers, + - * / // % ^, brackets and the listed functions are allowed.")


def _bounded(number: Number) -> Number:
    if isinstance(number, int) and number.bit_length() > _MAX_BITS:
        raise ToolError("A number on the way is too large.")
    return number


def _divided(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and right and left % right == 0:
        return left // right
    return Decimal(left) / Decimal(right) if right else _no_division()


def _floored(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    return _floor(_divided(left, right))


def _rest(left: Number, right: Number) -> Number:
    return left - right * _floored(left, right)  # the sign of the divisor, as with whole numbers


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if base.bit_length() * exponent > _MAX_BITS and abs(base) > 1:
            raise ToolError("This power is too large.")
        return int(base**exponent)
    if base == 0 and exponent < 0:
        _no_division()
    return Decimal(base) ** Decimal(exponent)


def _no_division() -> Decimal:
    raise ZeroDivisionError


def _floor(number: Number) -> int:
    return math.floor(number)


def _factorial(number: Number) -> int:
    if number != int(number) or not 0 <= number <= _MAX_FACTORIAL:
        raise ToolError(f"factorial takes a whole number from 0 to {_MAX_FACTORIAL}.")
    return math.factorial(int(number))


def _rounded(number: Number, places: Number = 0) -> Number:
    if places != int(places) or not -100 <= places <= 100:
        raise ToolError("round takes a whole number of places, at most 100.")
    exact = Decimal(number).quantize(Decimal(1).scaleb(-int(places)), rounding=decimal.ROUND_HALF_UP)
    return int(exact) if places <= 0 else exact


def _gcd(*numbers: Number) -> int:
    if any(number != int(number) for number in numbers):
        raise ToolError("gcd takes whole numbers.")
    return math.gcd(*(int(number) for number in numbers))


def _of_float(function: Callable[[float], float]) -> Callable[[Number], Number]:
    def apply(number: Number) -> Number:
        return Decimal(format(function(float(number)), ".15g"))  # what a float knows

    return apply


def _root(number: Number) -> Number:
    if isinstance(number, int) and number >= 0 and math.isqrt(number) ** 2 == number:
        return math.isqrt(number)
    return Decimal(number).sqrt()


def _shown(number: Number) -> str:
    if isinstance(number, int):
        return str(number)
    if not number.is_finite():
        raise decimal.InvalidOperation
    short = _DIGITS.plus(number).normalize()  # the last digits of 40 are where rounding shows
    return format(short, "f") if -20 < short.adjusted() < 30 else str(short)


_CONSTANTS: Mapping[str, Number] = {
    "pi": Decimal("3.141592653589793238462643383279502884197"),
    "e": Decimal("2.718281828459045235360287471352662497757"),
}
_OPERATORS: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divided,
    ast.FloorDiv: _floored,
    ast.Mod: _rest,
    ast.Pow: _power,
}
_FUNCTIONS: Mapping[str, tuple[int, int, Callable[..., Number]]] = {
    "sqrt": (1, 1, _root),
    "exp": (1, 1, lambda number: Decimal(number).exp()),
    "ln": (1, 1, lambda number: Decimal(number).ln()),
    "log10": (1, 1, lambda number: Decimal(number).log10()),
    "log2": (1, 1, lambda number: Decimal(number).ln() / Decimal(2).ln()),
    **{name: (1, 1, _of_float(getattr(math, name))) for name in ("sin", "cos", "tan", "asin", "acos", "atan")},
    "abs": (1, 1, abs),
    "round": (1, 2, _rounded),
    "floor": (1, 1, _floor),
    "ceil": (1, 1, math.ceil),
    "min": (1, 100, lambda *numbers: min(numbers)),
    "max": (1, 100, lambda *numbers: max(numbers)),
    "sum": (1, 100, lambda *numbers: sum(numbers)),
    "factorial": (1, 1, _factorial),
    "gcd": (2, 100, _gcd),
}
