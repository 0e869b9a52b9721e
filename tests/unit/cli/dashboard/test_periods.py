from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.dashboard.charts import period_words
from reprise_cli.dashboard.periods import (
    FINEST_AWS_S,
    RANGES_S,
    asked_period_s,
    chart_grid,
    whole_grid,
)

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


@given(now_s=now, range_s=ranges)
def test_a_stated_period_is_kept(now_s: int, range_s: int) -> None:
    assert chart_grid(now_s, range_s, FINEST_AWS_S, 60).period_s == 60
    assert chart_grid(now_s, range_s, FINEST_AWS_S, 5).period_s == FINEST_AWS_S


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
