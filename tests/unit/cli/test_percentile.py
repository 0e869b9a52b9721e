from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.chaos.percentile import Percentiles, nearest_rank, spread

TIMES = st.lists(st.floats(0, 1e6), min_size=1)


def test_the_spread_of_twenty_times_by_hand() -> None:
    # Ranks: ceil(0.5 * 20) = 10, ceil(0.95 * 20) = 19.
    assert spread([float(n) for n in range(20, 0, -1)]) == Percentiles(p50=10.0, p95=19.0, max=20.0)


def test_nothing_has_no_spread() -> None:
    assert spread([]).document() == {"p50": None, "p95": None, "max": None}


def test_times_are_shown_to_the_millisecond() -> None:
    assert spread([1.23456]).document() == {"p50": 1.235, "p95": 1.235, "max": 1.235}


@given(TIMES, st.floats(0.1, 100))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(
    times: list[float], percent: float
) -> None:
    value = nearest_rank(sorted(times), percent)
    assert value in times
    assert sum(time <= value for time in times) >= percent / 100 * len(times) - 1e-9


@given(TIMES)
def test_percentiles_are_ordered(times: list[float]) -> None:
    found = spread(times)
    assert found.p50 is not None
    assert found.p95 is not None
    assert found.max is not None
    assert found.p50 <= found.p95 <= found.max == max(times)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_a_percentile_of_nothing_or_of_no_percentage_is_an_error(
    values: list[float], percent: float
) -> None:
    with pytest.raises(ValueError, match="percentile"):
        nearest_rank(values, percent)
