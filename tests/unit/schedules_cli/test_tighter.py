from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_schedules.warm import InvocationReport
from reprise_schedules_cli.schedule.cron import parse_cron
from reprise_schedules_cli.warm.shares import Seen
from reprise_schedules_cli.warm.survey import Survey
from reprise_schedules_cli.warm.tighter import (
    FEWEST_CALLS,
    FEWEST_DAYS,
    price_change,
    tightened,
    what_is_missing,
)

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
REPORT = InvocationReport(request_id="r", billed_ms=1000.0, memory_mb=1024)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cron(0/10 6-9,11-13,16-21 * * ? *)", "cron(0/10 6-7,12 * * ? *)"),
        ("cron(0/5  8-18 ? * MON-FRI *)", "cron(0/5 6-7,12 ? * MON-FRI *)"),
        ("rate(5 minutes)", "cron(0/10 6-7,12 * * ? *)"),
        (None, "cron(0/10 6-7,12 * * ? *)"),
    ],
)
def test_tighter_window_has_other_hours_and_nothing_else(
    schedule: str | None, expected: str
) -> None:
    assert tightened(schedule, [6, 7, 12]) == expected


@given(st.lists(st.integers(0, 23), min_size=1, unique=True))
def test_every_tighter_window_is_a_cron_of_exactly_these_hours(hours: list[int]) -> None:
    assert parse_cron(tightened("cron(0/5 8-18 ? * MON-FRI *)", hours)).hours == tuple(
        sorted(hours)
    )


def test_saving_is_what_the_pings_that_are_left_out_would_cost() -> None:
    """A thousand pings of one GB-second at 0.0000168667 USD."""
    seen = [Seen(function="orders", at=NOW, report=REPORT)]
    change = price_change(("old", 800), ("new", 300), {"orders": 2}, seen)
    assert (change.old_pings, change.new_pings) == (1600, 600)
    assert change.saved_usd == pytest.approx(0.0168667)


def found(days: int, calls: int) -> Survey:
    seen = [
        Seen(function="orders", at=NOW - timedelta(days=number % days), report=REPORT)
        for number in range(days)
    ]
    return Survey(
        seen=seen, zone=ZoneInfo("UTC"), schedule=None, since=NOW, due=0, pings={}, hours=[],
        live={9: calls},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("age_days", "days", "calls", "expected"),
    [
        (7, FEWEST_DAYS, FEWEST_CALLS, None),
        (6, FEWEST_DAYS, FEWEST_CALLS, "for 6 of 7 days"),
        (7, FEWEST_DAYS - 1, FEWEST_CALLS, "calls are known of 4 days"),
        (7, FEWEST_DAYS, FEWEST_CALLS - 1, "199 live calls"),
    ],
)
def test_window_is_not_changed_by_too_short_a_history(
    age_days: int, days: int, calls: int, expected: str | None
) -> None:
    missing = what_is_missing(found(days, calls), NOW - timedelta(days=age_days), NOW)
    assert missing is None if expected is None else expected in str(missing)
