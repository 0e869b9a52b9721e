"""When a schedule runs: cron and rate expressions, in a time zone, as instants.

Daylight saving follows EventBridge Scheduler: a wall time that the clock skips does not run, one that
it shows twice runs once, the first time. A rate counts hours of 60 minutes, whatever the clock does.

Source: EventBridge Scheduler User Guide, "Schedule types", "Daylight savings time".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reprise.errors import ScheduleError
from reprise_schedules_cli.schedule.cron import Cron, parse_cron

if TYPE_CHECKING:
    from collections.abc import Iterator

_RATE: Final = re.compile(r"rate\(([1-9]\d{0,5}) (minute|hour|day)s?\)", re.ASCII)
_UNITS: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_MAX_CHARS: Final = 256
_MAX_ZONE_CHARS: Final = 50
"""EventBridge Scheduler API reference, CreateSchedule, ScheduleExpression and ScheduleExpressionTimezone."""
_OWN_ZONES: Final = ("posix/", "right/", "posixrules", "localtime", "Factory")
"""Names that machines have beside those of the IANA database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Every so often, from when the schedule is made."""

    every: timedelta


Expression = Cron | Rate


def write_expression(text: str) -> str:
    """Return an expression as it is sent: single blanks, whatever a file was laid out with."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")


def parse_expression(text: str) -> Expression:
    """Return the cron or rate expression of a text.

    Raises:
        ScheduleError: Naming the field, and the next step.
    """
    text = write_expression(text)
    if len(text) > _MAX_CHARS:
        raise ScheduleError(
            "schedule",
            f"has {len(text)} characters, over EventBridge Scheduler's limit of {_MAX_CHARS}",
            "Write * or ranges for lists, or make two jobs of it",
        )
    if text.startswith("rate"):
        match = _RATE.fullmatch(text)
        if match is None:
            raise ScheduleError(
                "schedule",
                f"{text!r} is no rate",
                "Write rate(5 minutes), rate(1 hour), rate(2 days)",
            )
        return Rate(every=int(match[1]) * _UNITS[match[2]])
    return parse_cron(text)


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of a name.

    Raises:
        ScheduleError: If there is none.
    """
    try:
        if len(name) > _MAX_ZONE_CHARS or name.startswith(_OWN_ZONES):
            raise ZoneInfoNotFoundError(name)  # noqa: TRY301 - as if there were none
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(
            "timezone",
            f"{name!r} is no time zone",
            "Use a name of the IANA database, such as Asia/Seoul or UTC",
        ) from error


def runs(expression: Expression, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the instants of a schedule after an aware instant, in order, in the schedule's zone.

    A rate is counted from `after`.
    """
    # In UTC: Python compares two instants of one zone by their wall times.
    after_utc = after.astimezone(UTC)
    if isinstance(expression, Rate):
        at = after_utc
        while True:
            at += expression.every
            yield at.astimezone(zone)
    # A day back: what the clock shows twice must not hide what comes after its first showing.
    start = after.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
    for wall in expression.wall_times(start):
        instant = _instant(wall, zone)
        if instant is not None and instant.astimezone(UTC) > after_utc:
            yield instant


def next_runs(
    expression: Expression, zone: ZoneInfo, after: datetime, count: int = 5
) -> list[datetime]:
    """Return the next instants of a schedule; fewer if it ends."""
    return list(islice(runs(expression, zone, after), count))


def _instant(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first instant at which a zone's clock shows a time, or None if it never does."""
    instant = wall.replace(tzinfo=zone, fold=0)
    seen = instant.astimezone(UTC).astimezone(zone)
    return instant if seen.replace(tzinfo=None) == wall else None
