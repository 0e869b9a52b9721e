from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.chaos.timeline import LedgerSample, Timeline, sparkline


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Timelines as a test makes them: nothing that has happened is undone."""
    timeline = Timeline()
    at_s, captured, replayed, dead = 0.0, 0, 0, 0
    for _ in range(draw(st.integers(0, 20))):
        at_s += draw(st.floats(0, 10))
        captured += draw(st.integers(0, 50))
        replayed += draw(st.integers(0, captured - replayed - dead))
        dead += draw(st.integers(0, captured - replayed - dead))
        timeline.add(LedgerSample(at_s=at_s, captured=captured, replayed=replayed, dead=dead))
    return timeline


@given(timelines(), st.integers(1, 60))
def test_the_stretches_of_a_timeline_add_up_to_its_end(timeline: Timeline, width: int) -> None:
    rates = timeline.rates(width)
    for name in ("captured", "replayed", "dead"):
        assert len(rates[name]) == width
        assert sum(rates[name]) == getattr(timeline.last, name)
        assert min(rates[name]) >= 0
    assert rates["waiting"][-1] == timeline.last.waiting


def test_a_timeline_of_four_seconds_by_hand() -> None:
    timeline = Timeline()
    for at_s, captured, replayed in ((1.0, 4, 0), (2.0, 4, 1), (4.0, 4, 3)):
        timeline.add(LedgerSample(at_s=at_s, captured=captured, replayed=replayed))
    rates = timeline.rates(4)
    assert rates["captured"] == [4, 0, 0, 0]
    assert rates["waiting"] == [4, 3, 3, 1]
    assert rates["replayed"] == [0, 1, 0, 2]


def test_time_does_not_go_back() -> None:
    timeline = Timeline([LedgerSample(at_s=2.0)])
    with pytest.raises(ValueError, match="cannot follow"):
        timeline.add(LedgerSample(at_s=1.0))


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([0, 0], "  "), ([0, 1, 4, 8], " ▂▅█"), ([5], "█"), ([-1, 1], " █")],
)
def test_a_sparkline_shows_values_by_height(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars


@given(st.lists(st.floats(0, 1e9)))
def test_a_sparkline_has_one_bar_for_each_value(values: list[float]) -> None:
    assert len(sparkline(values)) == len(values)
