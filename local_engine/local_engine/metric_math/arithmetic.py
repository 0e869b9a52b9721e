"""Operators between numbers and series.

Where one side of an operation has no value at an instant, the result has none there; nor where a
division has no meaning.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final

from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.values import Series, Value

if TYPE_CHECKING:
    from collections.abc import Callable

type Binary = Callable[[float, float], float]

OPERATORS: Final[dict[str, Binary]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": math.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&&": lambda left, right: bool(left) and bool(right),
    "AND": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
    "OR": lambda left, right: bool(left) or bool(right),
}
"""A comparison gives 1 or 0."""


def combine(symbol: str, left: Value, right: Value) -> Value:
    """Return what an operator makes of two values.

    Raises:
        ExpressionError: If both sides are several series, or the result of two numbers has no meaning.
    """
    apply = OPERATORS[symbol]
    if isinstance(left, tuple):
        if isinstance(right, tuple):
            msg = f"{symbol!r} cannot stand between two lists of series"
            raise ExpressionError(msg)
        return tuple(_with_series(apply, one, right) for one in left)
    if isinstance(right, tuple):
        return tuple(_from_other(apply, left, one) for one in right)
    if isinstance(left, Series):
        return _with_series(apply, left, right)
    if isinstance(right, Series):
        return _from_other(apply, left, right)
    value = _number(apply, left, right)
    if value is None:
        msg = f"{left:g} {symbol} {right:g} has no value"
        raise ExpressionError(msg)
    return value


def _with_series(apply: Binary, left: Series, right: float | Series) -> Series:
    if isinstance(right, Series):
        return _pairwise(apply, left, right)
    return left.mapped(lambda value: _number(apply, value, right))


def _from_other(apply: Binary, left: float | Series, right: Series) -> Series:
    if isinstance(left, Series):
        return _pairwise(apply, left, right)
    return right.mapped(lambda value: _number(apply, left, value))


def _pairwise(apply: Binary, left: Series, right: Series) -> Series:
    points: dict[int, float] = {}
    for at, value in left.points.items():
        other = right.points.get(at)
        result = None if other is None else _number(apply, value, other)
        if result is not None:
            points[at] = result
    return Series(points=points)


def _number(apply: Binary, left: float, right: float) -> float | None:
    try:
        value = float(apply(left, right))
    except (ArithmeticError, ValueError):
        return None
    return value if math.isfinite(value) else None
