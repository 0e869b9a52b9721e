"""AWS's six-field cron expressions, as times on a wall clock.

No library is used, because none does this syntax faithfully (tried in November 2026): cronsim and
croniter know neither `?` and `W` nor AWS's numbers of weekdays; aws-croniter 2.1.1 fails on `LW`, on
`L` as a weekday and on steps of years, and knows no time zone. cronsim is the oracle of the tests.

Source: EventBridge Scheduler User Guide, "Schedule types", "Cron-based schedules".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from reprise.errors import ScheduleError
from reprise_schedules_cli.schedule.days import Days, days_in, parse_days
from reprise_schedules_cli.schedule.field import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

_CRON: Final = re.compile(r"cron\((.*)\)")
_FIELD_COUNT: Final = 6
_MINUTE: Final = Field(name="minutes", lowest=0, highest=59)
_HOUR: Final = Field(name="hours", lowest=0, highest=23)
_MONTH: Final = Field(
    name="month",
    lowest=1,
    highest=12,
    names={
        name: number
        for number, name in enumerate(
            ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
            start=1,
        )
    },
)
_YEAR: Final = Field(name="year", lowest=1970, highest=2199)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression; all numbers in order."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def wall_times(self, after: datetime) -> Iterator[datetime]:
        """Yield every naive wall time after a naive one, in order, to the year 2199."""
        for year in self.years:
            if year < after.year:
                continue
            for month in self.months:
                if (year, month) < (after.year, after.month):
                    continue
                for day in days_in(self.days, year, month):
                    if (year, month, day) < (after.year, after.month, after.day):
                        continue
                    for hour in self.hours:
                        for minute in self.minutes:
                            wall = datetime(year, month, day, hour, minute)  # noqa: DTZ001 - a wall clock's
                            if wall > after:
                                yield wall


def parse_cron(text: str) -> Cron:
    """Return the expression of a text such as `cron(0/10 6-9 ? * MON-FRI *)`.

    Raises:
        ScheduleError: Naming the field, and the next step.
    """
    match = _CRON.fullmatch(text)
    fields = match[1].split() if match else []
    if len(fields) != _FIELD_COUNT:
        raise ScheduleError(
            "schedule",
            f"{text!r} has {len(fields)} fields" if match else f"{text!r} is no cron expression",
            "Write cron(minutes hours day-of-month month day-of-week year)",
        )
    minutes, hours, of_month, months, of_week, years = fields
    return Cron(
        minutes=tuple(sorted(_MINUTE.values(minutes))),
        hours=tuple(sorted(_HOUR.values(hours))),
        days=parse_days(of_month, of_week),
        months=tuple(sorted(_MONTH.values(months))),
        years=tuple(sorted(_YEAR.values(years))),
    )
