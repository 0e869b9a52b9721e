from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.dashboard.charts import period_words
from reprise_cli.dashboard.periods import (
    FINEST_AWS_S,
    RANGES_S,
    asked_period_s,
    chart_grid,
    finest_kept_s,
    whole_grid,
)

DAY_S = 86_400
now = st.integers(1_600_000_000, 2_000_000_000)
ranges = st.sampled_from(list(RANGES_S.values()))


@given(now_s=now, range_s=ranges, finest_s=st.sampled_from([5, 60]))
def test_a_chart_covers_its_range_up_to_the_period_that_runs(
    now_s: int, range_s: int, finest_s: int
) -> None:
    grid = chart_grid(now_s, range_s, finest_s)
    assert grid.instants[-1] <= now_s < grid.end_s
    assert grid.end_s - grid.start_s >= range_s
    assert grid.start_s % grid.period_s == 0
    assert finest_s <= grid.period_s
    assert len(grid.instants) <= 361


@given(now_s=now, range_s=ranges.filter(lambda range_s: range_s <= 3 * DAY_S))
def test_a_stated_period_is_kept_up_to_three_days(now_s: int, range_s: int) -> None:
    assert chart_grid(now_s, range_s, FINEST_AWS_S, 60).period_s == 60
    assert chart_grid(now_s, range_s, FINEST_AWS_S, 5).period_s == FINEST_AWS_S


@given(now_s=now, range_s=st.integers(60, 455 * DAY_S), stated_s=st.sampled_from([None, 5, 60]))
def test_no_chart_has_more_points_than_can_be_drawn(
    now_s: int, range_s: int, stated_s: int | None
) -> None:
    assert len(chart_grid(now_s, range_s, FINEST_AWS_S, stated_s).instants) <= 4_501


@pytest.mark.parametrize(
    ("age_s", "finest_s"),
    [
        (3_600, 60),
        (15 * DAY_S, 60),
        (15 * DAY_S + 1, 300),
        (63 * DAY_S + 1, 3_600),
        (500 * DAY_S, 3_600),
    ],
)
def test_what_is_long_ago_is_asked_for_by_the_period_that_is_kept(
    age_s: int, finest_s: int
) -> None:
    assert finest_kept_s(age_s, FINEST_AWS_S) == finest_s
    assert finest_kept_s(age_s, 7_200) == 7_200


@given(now_s=now, range_s=ranges)
def test_a_whole_range_is_asked_for_in_one_piece(now_s: int, range_s: int) -> None:
    grid = whole_grid(chart_grid(now_s, range_s, 5))
    asked_s = asked_period_s(grid)
    assert asked_s >= grid.period_s
    assert asked_s % 60 == 0
    assert grid.start_s // asked_s == (grid.end_s - 1) // asked_s


def test_words_that_name_a_minute_name_the_true_period() -> None:
    assert period_words("calls a minute", 60) == "calls a minute"
    assert period_words("calls a minute", 5) == "calls per 5 s"
    assert period_words("calls a minute", 300) == "calls per 5m0s"
