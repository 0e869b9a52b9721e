from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from reprise.errors import ScheduleError
from reprise_schedules_cli.schedule.cron import parse_cron

AFTER = datetime(2026, 11, 21, 12, 0)  # noqa: DTZ001 - a wall clock's


def walls(text: str, count: int = 4, after: datetime = AFTER) -> list[str]:
    found = islice(parse_cron(f"cron({text})").wall_times(after), count)
    return [f"{wall:%Y-%m-%d %a %H:%M}" for wall in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "0/10 6-9,11-13,16-21 * * ? *",
            ["2026-11-21 Sat 12:10", "2026-11-21 Sat 12:20"],
            id="the-warm-window",
        ),
        # AWS counts weekdays from Sunday, 1: two is Monday.
        pytest.param(
            "0 10 ? * 2-6 *", ["2026-11-23 Mon 10:00", "2026-11-24 Tue 10:00"], id="weekdays"
        ),
        pytest.param("0 0 ? * sun *", ["2026-11-22 Sun 00:00", "2026-11-29 Sun 00:00"], id="names"),
        pytest.param("0 0 ? * L *", ["2026-11-28 Sat 00:00", "2026-12-05 Sat 00:00"], id="L-day"),
        pytest.param("0 0 L * ? *", ["2026-11-30 Mon 00:00", "2026-12-31 Thu 00:00"], id="L"),
        # 2027-01-31 is a Sunday, and 2027-02-28 is one, too.
        pytest.param(
            "0 0 LW 1,2 ? *", ["2027-01-29 Fri 00:00", "2027-02-26 Fri 00:00"], id="last-workday"
        ),
        # 15 August 2027 is a Sunday, 15 May 2027 a Saturday.
        pytest.param(
            "0 0 15W 5,8 ? 2027", ["2027-05-14 Fri 00:00", "2027-08-16 Mon 00:00"], id="nearest"
        ),
        # The first of May 2027 is a Saturday: the nearest workday of May is the third.
        pytest.param("0 0 1W 5 ? 2027", ["2027-05-03 Mon 00:00"], id="nearest-not-before-month"),
        # 31 January 2027 is a Sunday: the nearest workday of January is the 29th.
        pytest.param("0 0 31W 1,2 ? 2027", ["2027-01-29 Fri 00:00"], id="nearest-not-after-month"),
        pytest.param(
            "0 0 ? * 6L *", ["2026-11-27 Fri 00:00", "2026-12-25 Fri 00:00"], id="last-of"
        ),
        pytest.param(
            "0 0 ? * FRI#2 *", ["2026-12-11 Fri 00:00", "2027-01-08 Fri 00:00"], id="nth-of"
        ),
        # Only months with five Mondays.
        pytest.param(
            "0 0 ? * 2#5 *", ["2026-11-30 Mon 00:00", "2027-03-29 Mon 00:00"], id="fifth-of"
        ),
        pytest.param(
            "0 0 29 2 ? *", ["2028-02-29 Tue 00:00", "2032-02-29 Sun 00:00"], id="leap-days"
        ),
        pytest.param(
            "5 23 1 JAN ? 2027-2031/2", ["2027-01-01 Fri 23:05", "2029-01-01 Mon 23:05"], id="years"
        ),
    ],
)
def test_expression_means_these_times(text: str, expected: list[str]) -> None:
    assert walls(text)[: len(expected)] == expected


def test_expression_that_never_comes_has_no_times() -> None:
    assert walls("0 0 30 2 ? *") == []
    assert walls("0 0 1 1 ? 2020") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cron(* * * * *)", "schedule: 'cron(* * * * *)' has 5 fields. Write cron(minutes hours"),
        ("every day", "schedule: 'every day' is no cron expression"),
        ("cron(60 * * * ? *)", "minutes: 60 is out of range. Use 0 to 59"),
        ("cron(0 24 * * ? *)", "hours: 24 is out of range"),
        ("cron(0 22-2 * * ? *)", "hours: '22-2' runs backwards. Write two ranges: 22-23,0-2"),
        ("cron(0/0 * * * ? *)", "minutes: '0/0' has a step of 0"),
        ("cron(0,,5 * * * ? *)", "minutes: '0,,5' cannot be read"),
        ("cron(*-5 * * * ? *)", "minutes: '*-5' cannot be read"),
        ("cron(٣ * * * ? *)", "minutes: '٣' cannot be read"),
        ("cron(0 0 ? * ? *)", "day-of-week: '?' stands beside day-of-month '?'. Put ? in exactly"),
        ("cron(0 0 * * * *)", "day-of-week: '*' stands beside day-of-month '*'"),
        ("cron(0 0 1 * MON *)", "day-of-week: 'MON' stands beside day-of-month '1'"),
        ("cron(0 0 0 * ? *)", "day-of-month: 0 is out of range. Use 1 to 31"),
        ("cron(0 0 32W * ? *)", "day-of-month: 32 is out of range"),
        ("cron(0 0 L-3 * ? *)", "day-of-month: 'L' cannot be read"),
        ("cron(0 0 ? * 0 *)", "day-of-week: 0 is out of range. Use 1 to 7, or SUN to SAT"),
        ("cron(0 0 ? * MON#6 *)", "day-of-week: 'MON#6' cannot be read"),
        ("cron(0 0 1 13 ? *)", "month: 13 is out of range. Use 1 to 12, or JAN to DEC"),
        ("cron(0 0 1 1 ? 2200)", "year: 2200 is out of range. Use 1970 to 2199"),
    ],
)
def test_mistake_is_named_with_the_next_step(text: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(message)):
        parse_cron(text)


@st.composite
def field(draw: st.DrawFn, lowest: int, highest: int) -> str:
    """Return a field that both syntaxes write alike."""
    numbers = st.integers(lowest, highest)

    def part() -> str:
        # The oracle takes the end of a range of one for no end.
        first, last = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
        step = draw(st.integers(1, highest))
        return draw(
            st.sampled_from(
                [
                    str(first),
                    f"{first}-{last}",
                    f"{first}-{last}/{step}",
                    f"*/{step}",
                    f"{first}/{step}",
                ]
            )
        )

    return draw(st.sampled_from(["*", ",".join(part() for _ in range(draw(st.integers(1, 3))))]))


def unix_steps(text: str, highest: int) -> str:
    """Return a field as the oracle writes it, which wants a range before a step."""
    return re.sub(r"(?<![-\d])(\d+)/", rf"\1-{highest}/", text)


@given(
    minutes=field(0, 59),
    hours=field(0, 23),
    days=st.one_of(field(1, 31), st.just("L")),
    months=field(1, 12),
    weekdays=st.none()
    | st.tuples(st.integers(0, 6), st.sampled_from(["", "L", "#1", "#2", "#3", "#4", "#5"])),
    after=st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 - as above
)
def test_times_are_those_of_an_established_library(
    minutes: str,
    hours: str,
    days: str,
    months: str,
    weekdays: tuple[int, str] | None,
    after: datetime,
) -> None:
    if weekdays is None:
        ours = parse_cron(f"cron({minutes} {hours} {days} {months} ? *)")
        theirs_days = f"{unix_steps(days, 31)} {unix_steps(months, 12)} *"
    else:
        weekday, suffix = weekdays
        ours = parse_cron(f"cron({minutes} {hours} ? {months} {weekday + 1}{suffix} *)")
        theirs_days = f"* {unix_steps(months, 12)} {weekday}{suffix}"
    theirs = CronSim(
        f"{unix_steps(minutes, 59)} {unix_steps(hours, 23)} {theirs_days}",
        after.replace(tzinfo=UTC),
    )
    try:
        expected = [wall.replace(tzinfo=None) for wall in islice(theirs, 3)]
    except StopIteration:  # the oracle gives up after fifty years
        expected = []
    found = list(islice(ours.wall_times(after), max(len(expected), 1)))
    assert found[: len(expected)] == expected
    assert all(wall > after and wall.second == 0 for wall in found)
