from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from reprise.errors import ScheduleError
from reprise_schedules_cli.schedule.cron import Cron
from reprise_schedules_cli.schedule.expression import (
    Rate,
    find_zone,
    next_runs,
    parse_expression,
    runs,
)

SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")


def instants(text: str, zone: ZoneInfo, after: str, count: int) -> list[str]:
    found = next_runs(parse_expression(text), zone, datetime.fromisoformat(after), count)
    return [f"{at.astimezone(UTC):%m-%dT%H:%MZ}" for at in found]


def test_seoul_day_runs_at_seouls_hours() -> None:
    """Nine hours ahead of UTC, all year."""
    found = instants("cron(0 6,21 * * ? *)", SEOUL, "2026-07-01T00:00:00+09:00", 3)
    assert found == ["06-30T21:00Z", "07-01T12:00Z", "07-01T21:00Z"]


def test_wall_time_that_the_clock_skips_does_not_run() -> None:
    """In Berlin 02:00 to 03:00 does not exist on 29 March 2026."""
    found = instants("cron(30 2 * * ? *)", BERLIN, "2026-03-28T00:00:00Z", 3)
    assert found == ["03-28T01:30Z", "03-30T00:30Z", "03-31T00:30Z"]


def test_wall_time_that_the_clock_shows_twice_runs_once() -> None:
    """In Berlin 02:00 to 03:00 comes twice on 25 October 2026: first an hour east of it."""
    found = instants("cron(30 2 * * ? *)", BERLIN, "2026-10-24T12:00:00Z", 2)
    assert found == ["10-25T00:30Z", "10-26T01:30Z"]


def test_what_follows_the_first_showing_is_not_hidden_by_a_look_during_the_second() -> None:
    found = instants("cron(0/30 * * * ? *)", BERLIN, "2026-10-25T01:15:00Z", 2)
    assert found == ["10-25T02:00Z", "10-25T02:30Z"]


def test_look_just_before_a_repeated_hour_sees_it_once() -> None:
    after = datetime(2026, 10, 25, 1, 45, tzinfo=BERLIN)
    found = next_runs(parse_expression("cron(0/30 * * * ? *)"), BERLIN, after, 4)
    assert [f"{at.astimezone(UTC):%H:%M}" for at in found] == ["00:00", "00:30", "02:00", "02:30"]


def test_expression_has_at_most_256_characters() -> None:
    """CreateSchedule's model: ScheduleExpression, length 1 to 256."""
    longest = f"cron(10,{'0,' * 118}0 3 * * ? *)"
    assert len(longest) == 256
    assert isinstance(parse_expression(f" {longest}\n"), Cron)
    with pytest.raises(ScheduleError, match=r"257 characters, over EventBridge Scheduler's limit"):
        parse_expression(longest.replace("10,", "10,1"))


@pytest.mark.parametrize(
    "text",
    [
        "cron(0/\u0665 3 * * ? *)",
        "cron(\u0663 3 * * ? *)",
        "cron(0 3 \u0663W * ? *)",
        "cron(0 3 ? * \u0663L *)",
    ],
)
def test_digits_of_other_scripts_are_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_expression(text)


def test_rate_counts_hours_of_sixty_minutes() -> None:
    found = instants("rate(1 day)", BERLIN, "2026-03-28T12:00:00Z", 2)
    assert found == ["03-29T12:00Z", "03-30T12:00Z"]
    assert parse_expression("rate(5 minutes)") == Rate(every=timedelta(minutes=5))
    assert parse_expression(" rate(1 hours) ") == Rate(every=timedelta(hours=1))


@pytest.mark.parametrize(
    "text",
    [
        "rate(0 minutes)",
        "rate(5 weeks)",
        "rate(1.5 hours)",
        "rate 5",
        "rate(\u0665 minutes)",
        "rate(10 seconds)",
        "rate(-1 days)",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match=r"is no rate\. Write rate\(5 minutes\)"):
        parse_expression(text)


@pytest.mark.parametrize(
    "name",
    ["Asia/Soul", "", "../../etc/passwd", "Asia", "KST9", "posix/UTC", "localtime", "x" * 51],
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ScheduleError, match=r"is no time zone\. Use a name of the IANA database"):
        find_zone(name)


@given(
    minute=st.sampled_from(["0", "0/7", "59", "15,45"]),
    hour=st.sampled_from(["*", "1-3", "0/5", "23"]),
    zone=st.sampled_from(
        [SEOUL, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]
    ),
    after=st.datetimes(
        datetime(2020, 1, 1),  # noqa: DTZ001 - made aware by hypothesis
        datetime(2035, 1, 1),  # noqa: DTZ001 - as above
        timezones=st.just(UTC),
    ),
)
def test_runs_rise_show_the_asked_wall_time_and_miss_none(
    minute: str, hour: str, zone: ZoneInfo, after: datetime
) -> None:
    """The oracle, asked in UTC, knows the wall times; each exists in the zone or is skipped."""
    found = [
        at.astimezone(UTC)
        for at in islice(runs(parse_expression(f"cron({minute} {hour} * * ? *)"), zone, after), 12)
    ]
    assert found[0] > after
    assert all(early < late for early, late in pairwise(found))
    shown = [at.astimezone(zone).replace(tzinfo=None) for at in found]
    minutes = minute.replace("0/7", "*/7")
    walls = CronSim(f"{minutes} {hour.replace('0/5', '*/5')} * * *", shown[0].replace(tzinfo=UTC))
    expected = [shown[0]]
    for wall in islice(walls, 60):
        naive = wall.replace(tzinfo=None)
        there = naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
        if there.replace(tzinfo=None) == naive:
            expected.append(naive)
    assert shown == expected[: len(shown)]
