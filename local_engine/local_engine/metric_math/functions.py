"""The functions of metric math that are known here, as a table."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NoReturn

from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.values import Grid, Series, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

type Fold = Callable[[Sequence[float]], float]
type Function = Callable[[Grid, tuple[Value, ...]], Value]


def each(value: Value, change: Callable[[Series], Series], name: str) -> Value:
    """Return a value with every series in it changed.

    Raises:
        ExpressionError: If it is a number.
    """
    if isinstance(value, tuple):
        return tuple(change(series) for series in value)
    if isinstance(value, Series):
        return change(value)
    return refuse(name, "takes a time series")


def refuse(name: str, why: str) -> NoReturn:
    """Raise an ExpressionError about a function."""
    msg = f"{name} {why}"
    raise ExpressionError(msg)


def fill(value: Value, filler: Value | str, grid: Grid) -> Value:
    """Return series with a value at every instant: a number, another series', REPEAT's or LINEAR's."""
    return each(value, lambda series: _fill_one(series, filler, grid), "FILL")


def _fill_one(series: Series, filler: Value | str, grid: Grid) -> Series:
    known = series.points
    match filler:
        case "REPEAT":
            found = _repeated(known, grid)
        case "LINEAR":
            found = _linear(known, grid)
        case Series():
            found = dict(filler.points)
        case float():
            found = dict.fromkeys(grid.instants, float(filler))
        case _:
            refuse("FILL", "takes a number, a time series, REPEAT or LINEAR")
    points = {at: found[at] for at in grid.instants if at in found} | dict(known)
    return replace(series, points=dict(sorted(points.items())))


def _repeated(points: Mapping[int, float], grid: Grid) -> dict[int, float]:
    found: dict[int, float] = {}
    last: float | None = None
    for at in grid.instants:
        last = points.get(at, last)
        if last is not None:
            found[at] = last
    return found


def _linear(points: Mapping[int, float], grid: Grid) -> dict[int, float]:
    found: dict[int, float] = {}
    for left, right in pairwise(sorted(points)):
        slope = (points[right] - points[left]) / (right - left)
        found |= {
            at: points[left] + slope * (at - left)
            for at in range(left, right, grid.period_s)
            if at not in points
        }
    return found


def choose(condition: Value, yes: Value, no: Value) -> Value:
    """Return `yes` where a condition is not 0, `no` elsewhere; no value where the condition has none."""
    if isinstance(condition, tuple) or isinstance(yes, tuple) or isinstance(no, tuple):
        refuse("IF", "takes numbers and single time series")
    if not isinstance(condition, Series):
        return yes if condition else no

    def pick(at: int, value: float) -> float | None:
        chosen = yes if value else no
        return chosen.points.get(at) if isinstance(chosen, Series) else chosen

    picked = ((at, pick(at, value)) for at, value in condition.points.items())
    return Series(points={at: value for at, value in picked if value is not None})


def _folded(name: str, fold: Fold) -> Function:
    """Make a function that folds several series into one, or one series into a number."""

    def apply(_: Grid, arguments: tuple[Value, ...]) -> Value:
        (value,) = arguments
        if isinstance(value, tuple):
            at_all: dict[int, list[float]] = {}
            for series in value:
                for at, number in series.points.items():
                    at_all.setdefault(at, []).append(number)
            return Series(points={at: fold(numbers) for at, numbers in sorted(at_all.items())})
        if isinstance(value, Series):
            return fold(list(value.points.values())) if value.points else value
        return refuse(name, "takes time series")

    return apply


def _mapped(name: str, change: Callable[[float], float]) -> Function:
    def apply(_: Grid, arguments: tuple[Value, ...]) -> Value:
        (value,) = arguments
        if isinstance(value, Series | tuple):
            return each(value, lambda series: series.mapped(change), name)
        return change(value)

    return apply


def _stepped(name: str, step: Callable[[float, int], float]) -> Function:
    """Make a function of a value's difference to the one before it, and the seconds between them."""

    def one(series: Series) -> Series:
        points = {
            at: step(series.points[at] - series.points[before], at - before)
            for before, at in pairwise(sorted(series.points))
        }
        return Series(points=points, label=series.label)

    return lambda _, arguments: each(arguments[0], one, name)


def _running_sum(_: Grid, arguments: tuple[Value, ...]) -> Value:
    def one(series: Series) -> Series:
        total, points = 0.0, {}
        for at in sorted(series.points):
            total += series.points[at]
            points[at] = total
        return Series(points=points, label=series.label)

    return each(arguments[0], one, "RUNNING_SUM")


def _remove_empty(_: Grid, arguments: tuple[Value, ...]) -> Value:
    (value,) = arguments
    if not isinstance(value, tuple):
        refuse("REMOVE_EMPTY", "takes several time series")
    return tuple(series for series in value if series.points)


def _time_series(grid: Grid, arguments: tuple[Value, ...]) -> Value:
    (value,) = arguments
    if isinstance(value, Series | tuple):
        refuse("TIME_SERIES", "takes a number")
    return Series(points=dict.fromkeys(grid.instants, value))


FUNCTIONS: Final[dict[str, tuple[int, Function]]] = {
    "SUM": (1, _folded("SUM", math.fsum)),
    "AVG": (1, _folded("AVG", lambda numbers: math.fsum(numbers) / len(numbers))),
    "MIN": (1, _folded("MIN", min)),
    "MAX": (1, _folded("MAX", max)),
    "ABS": (1, _mapped("ABS", abs)),
    "CEIL": (1, _mapped("CEIL", math.ceil)),
    "FLOOR": (1, _mapped("FLOOR", math.floor)),
    "RATE": (1, _stepped("RATE", lambda difference, seconds: difference / seconds)),
    "DIFF": (1, _stepped("DIFF", lambda difference, _: difference)),
    "RUNNING_SUM": (1, _running_sum),
    "PERIOD": (1, lambda grid, _: float(grid.period_s)),
    "TIME_SERIES": (1, _time_series),
    "REMOVE_EMPTY": (1, _remove_empty),
}
"""How many arguments a function takes, and what it does."""
