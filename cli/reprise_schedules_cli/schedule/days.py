"""Which days of a month a cron expression means: its third and its fifth field.

Source: EventBridge Scheduler User Guide, "Schedule types", "Cron-based schedules" (wildcards L, W
and #; day-of-week 1 is Sunday).
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from typing import Final, assert_never

from reprise.errors import ScheduleError
from reprise_schedules_cli.schedule.field import Field

_DAY: Final = Field(name="day-of-month", lowest=1, highest=31)
_WEEKDAY: Final = Field(
    name="day-of-week",
    lowest=1,
    highest=7,
    names={"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7},
)
_SATURDAY: Final = 7
_NEAREST: Final = re.compile(r"(\d{1,2})W", re.IGNORECASE | re.ASCII)
_LAST_OF: Final = re.compile(r"(\w+)L", re.IGNORECASE | re.ASCII)
_NTH_OF: Final = re.compile(r"(\w+)#([1-5])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDays:
    """Days by number."""

    days: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay:
    """`L`: the last day of the month; `LW`: the last one from Monday to Friday."""

    is_workday: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestWorkday:
    """`15W`: the day from Monday to Friday that is nearest to a day, in the same month."""

    day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnWeekdays:
    """Days by weekday, 1 is Sunday."""

    weekdays: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekdayOfMonth:
    """`6#2`: the second Friday; `6L`: the last one."""

    weekday: int
    number: int | None
    """None is the last."""


Days = OnDays | LastDay | NearestWorkday | OnWeekdays | WeekdayOfMonth


def parse_days(of_month: str, of_week: str) -> Days:
    """Return the days that the two fields mean; exactly one of them must be `?`.

    Raises:
        ScheduleError: Naming the field.
    """
    if (of_month == "?") == (of_week == "?"):
        raise ScheduleError(
            "day-of-week",
            f"{of_week!r} stands beside day-of-month {of_month!r}",
            "Put ? in exactly one of the two",
        )
    return _days_of_month(of_month) if of_week == "?" else _days_of_week(of_week)


def _days_of_month(text: str) -> Days:
    upper = text.upper()
    if upper in ("L", "LW"):
        return LastDay(is_workday=upper == "LW")
    if nearest := _NEAREST.fullmatch(text):
        return NearestWorkday(day=_DAY.number(nearest[1]))
    return OnDays(days=_DAY.values(text))


def _days_of_week(text: str) -> Days:
    if text.upper() == "L":
        return OnWeekdays(weekdays=frozenset({_SATURDAY}))
    if last := _LAST_OF.fullmatch(text):
        return WeekdayOfMonth(weekday=_WEEKDAY.number(last[1]), number=None)
    if nth := _NTH_OF.fullmatch(text):
        return WeekdayOfMonth(weekday=_WEEKDAY.number(nth[1]), number=int(nth[2]))
    return OnWeekdays(weekdays=_WEEKDAY.values(text))


def days_in(days: Days, year: int, month: int) -> list[int]:
    """Return the days of a month that are meant, in order; none if the month has no such day."""
    first_weekday, length = calendar.monthrange(year, month)

    def weekday(day: int) -> int:
        """Return AWS's number of a weekday; the calendar's Monday is 0."""
        return (first_weekday + day) % 7 + 1

    match days:
        case OnDays(days=numbers):
            return sorted(day for day in numbers if day <= length)
        case LastDay(is_workday=is_workday):
            return [_nearest(length, length, weekday(length)) if is_workday else length]
        case NearestWorkday(day=day):
            return [_nearest(day, length, weekday(day))] if day <= length else []
        case OnWeekdays(weekdays=wanted):
            return [day for day in range(1, length + 1) if weekday(day) in wanted]
        case WeekdayOfMonth(weekday=wanted_weekday, number=number):
            found = [day for day in range(1, length + 1) if weekday(day) == wanted_weekday]
            return found[-1:] if number is None else found[number - 1 : number]
        case _:
            assert_never(days)


def _nearest(day: int, length: int, weekday: int) -> int:
    """Return the nearest day from Monday to Friday within the month."""
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == 1:
        return day + 1 if day < length else day - 2
    return day
