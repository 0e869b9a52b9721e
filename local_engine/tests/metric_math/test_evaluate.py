from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.evaluate import Search, Sheet, searches
from local_engine.metric_math.values import Grid, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID = Grid(start_s=0, end_s=300, period_s=60)
INSTANTS = list(GRID.instants)
points = st.dictionaries(
    st.sampled_from(INSTANTS), st.floats(-1e6, 1e6, allow_nan=False), max_size=5
)


def evaluate(expression: str, **metrics: Mapping[int, float]) -> object:
    found = {name: Series(points=values) for name, values in metrics.items()}
    sheet = Sheet(grid=GRID, metrics=found, expressions={"e": expression}, find=find)
    return sheet.value("e")


def find(search: Search) -> tuple[Series, ...]:
    assert search.stat == "Sum"
    return (Series(points={0: 1.0, 60: 2.0}), Series(points={60: 3.0}))


def points_of(value: object) -> dict[int, float]:
    assert isinstance(value, Series)
    return dict(value.points)


@given(a=points, b=points)
def test_an_operation_has_a_value_where_both_sides_have_one(
    a: dict[int, float], b: dict[int, float]
) -> None:
    assert points_of(evaluate("a + b", a=a, b=b)) == {at: a[at] + b[at] for at in a if at in b}


@given(a=points, b=points)
def test_a_division_by_zero_has_no_value(a: dict[int, float], b: dict[int, float]) -> None:
    found = points_of(evaluate("a / b", a=a, b=b))
    assert all(b[at] != 0 and math.isfinite(value) for at, value in found.items())


@given(a=points, b=points)
def test_a_sum_of_series_counts_what_is_there(a: dict[int, float], b: dict[int, float]) -> None:
    expected = {at: math.fsum([a.get(at, 0), b.get(at, 0)]) for at in a.keys() | b.keys()}
    for text in ("SUM([a, b])", "SUM(METRICS())"):
        assert points_of(evaluate(text, a=a, b=b)) == expected


@given(a=points, number=st.integers(0, 9))
def test_filling_leaves_no_hole_and_changes_no_value(a: dict[int, float], number: int) -> None:
    found = points_of(evaluate(f"FILL(a, {number})", a=a))
    assert found == {at: a.get(at, number) for at in INSTANTS}


@given(a=points)
def test_repeating_fills_from_the_first_value_on(a: dict[int, float]) -> None:
    found = points_of(evaluate("FILL(a, REPEAT)", a=a))
    assert set(found) == {at for at in INSTANTS if a and at >= min(a)}
    assert {at: found[at] for at in a} == a


@given(a=points)
def test_a_running_sum_ends_with_the_sum(a: dict[int, float]) -> None:
    found = points_of(evaluate("RUNNING_SUM(a)", a=a))
    assert set(found) == set(a)
    if a:
        assert math.isclose(found[max(found)], math.fsum(a.values()), abs_tol=1e-3)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("RATE(a)", {60: 1.0, 180: 0.5}),
        ("DIFF(a)", {60: 60.0, 180: 60.0}),
        ("FILL(a, LINEAR)", {0: 0.0, 60: 60.0, 120: 90.0, 180: 120.0}),
        ("FILL(a, b)", {0: 0.0, 60: 60.0, 120: 7.0, 180: 120.0}),
        ("a * PERIOD(a)", {0: 0.0, 60: 3600.0, 180: 7200.0}),
        ("IF(a > 60, a, 1)", {0: 1.0, 60: 1.0, 180: 120.0}),
        ("IF(a, b)", {}),
        ("2 - a", {0: 2.0, 60: -58.0, 180: -118.0}),
        ("MAX([a, 100])", {0: 100.0, 60: 100.0, 120: 100.0, 180: 120.0, 240: 100.0}),
        ("SUM(SEARCH('{N,d} MetricName=\"x\"', 'Sum', 60))", {0: 1.0, 60: 5.0}),
        ("SUM(SEARCH('{N}', 'Sum') * 2)", {0: 2.0, 60: 10.0}),
        ("TIME_SERIES(MAX(a))", dict.fromkeys(INSTANTS, 120.0)),
        ("SUM(METRICS('b'))", {120: 7.0}),
    ],
)
def test_functions_do_what_cloudwatch_documents(
    expression: str, expected: dict[int, float]
) -> None:
    a = {0: 0.0, 60: 60.0, 180: 120.0}
    assert points_of(evaluate(expression, a=a, b={120: 7.0})) == expected


def test_an_expression_may_use_another() -> None:
    sheet = Sheet(
        grid=GRID,
        metrics={"a": Series(points={0: 2.0})},
        expressions={"twice": "a * 2", "more": "twice + 1"},
        find=find,
    )
    assert points_of(sheet.value("more")) == {0: 5.0}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("nobody", "no 'nobody' in this request"),
        ("e + 1", "'e' refers to itself"),
        ("ANOMALY_DETECTION_BAND(a)", "ANOMALY_DETECTION_BAND is not known here"),
        ("SUM(a, a)", "SUM takes 1 argument"),
        ("SUM(1)", "takes time series"),
        ("RATE(1)", "takes a time series"),
        ("FILL(a, 'x')", "is no value"),
        ("1 / 0", "has no value"),
        ("[a] + [a]", "between two lists"),
        ("IF([a], 1, 2)", "single time series"),
        ("METRICS(1)", "quoted part of ids"),
        ("SEARCH('no schema', 'Sum')", "needs a schema"),
        ("SEARCH(1)", "SEARCH takes"),
        ("SEARCH('{N}', 'Sum', 0)", "SEARCH takes"),
        ("REMOVE_EMPTY(a)", "several time series"),
        ("TIME_SERIES(a)", "takes a number"),
    ],
)
def test_what_has_no_value_says_why(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        evaluate(expression, a={0: 1.0})


def test_searches_are_found_wherever_they_stand() -> None:
    text = "IF(1, -SUM([SEARCH('{A}', 'Sum')]), 2 * SEARCH('{B,c}', 'Average', 60))"
    found = [(search.pattern.namespace, search.period_s) for search in searches(text)]
    assert found == [("A", None), ("B", 60)]
