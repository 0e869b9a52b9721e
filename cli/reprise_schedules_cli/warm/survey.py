"""Survey a warm window: what its functions reported, its pings, and the hours that hold the live calls."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from reprise.errors import ScheduleError
from reprise_cli.duration import read_duration
from reprise_cli.exits import CommandError, UsageError
from reprise_schedules.warm import read_order
from reprise_schedules_cli.schedule.expression import find_zone, parse_expression, runs
from reprise_schedules_cli.warm.collect import from_files, from_logs
from reprise_schedules_cli.warm.shares import (
    Hour,
    Seen,
    bare_name,
    by_hour,
    live_by_hour,
    ping_cost_usd,
    suggest_hours,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from reprise_cli.app import App

_MAX_SINCE_S: Final = 3650 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmWindow:
    """A stack's warm window."""

    schedule: str
    timezone: str
    functions: tuple[str, ...]
    concurrency: int
    made_at: datetime
    changed_at: datetime

    @property
    def environments(self) -> dict[str, int]:
        """Return how many environments of each function a due time pings."""
        # A function may stand there more than once: as it is, and by an alias.
        listed = Counter(bare_name(name) for name in self.functions)
        return {name: count * self.concurrency for name, count in listed.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a survey is to look at."""

    since: datetime
    now: datetime
    functions: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    schedule: str | None = None
    timezone: str | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found."""

    seen: Sequence[Seen]
    zone: ZoneInfo
    schedule: str | None
    since: datetime
    """Since when pings are counted."""
    due: int
    """How often the window was due."""
    pings: Mapping[str, int]
    """Pings that each function got."""
    hours: Sequence[Hour]
    live: Mapping[int, int]
    """Live calls by hour of the day."""

    @property
    def cost_usd(self) -> float:
        """Return what the pings cost at list price."""
        return ping_cost_usd(self.seen, self.pings)

    @property
    def better(self) -> list[int]:
        """Return the fewest hours that hold 95 % of the live calls."""
        return suggest_hours(self.live)


def find_window(reprise: App) -> WarmWindow | None:
    """Return the add-on's warm window, if there is one."""
    schedules = reprise.schedules_if_any
    if schedules is None or schedules.warmer is None:
        return None
    name = schedules.warm_window
    found = reprise.aws.scheduler.get_schedule(GroupName=name, Name=name)
    order = read_order(json.loads(found["Target"]["Input"]))
    return WarmWindow(
        schedule=found["ScheduleExpression"],
        timezone=found.get("ScheduleExpressionTimezone", "UTC"),
        functions=order.names,
        concurrency=order.concurrency,
        made_at=found["CreationDate"],
        changed_at=found["LastModificationDate"],
    )


def survey(reprise: App, asked: Asked, window: WarmWindow | None) -> Survey:
    """Return what the functions of a window reported.

    Raises:
        CommandError: If there is nothing to look at.
    """
    names = asked.functions or (window.functions if window else ())
    if not names and not asked.files:
        raise CommandError(
            "--function",
            f"no add-on {reprise.options.schedules_name!r} keeps functions warm",
            "Deploy addons/schedules with WarmFunctions, or say which: --function NAME",
        )
    zone = _zone(asked.timezone or (window.timezone if window else "UTC"))
    schedule = asked.schedule or (window.schedule if window else None)
    # A window pings nothing before it is deployed.
    since = max(asked.since, window.made_at) if window else asked.since
    due = pings_between(schedule, zone, since, asked.now) if schedule else []
    seen = (
        list(from_files(asked.files)) if asked.files else _from_stack(reprise, names, asked.since)
    )
    if not seen:
        raise CommandError(
            "--file" if asked.files else "--function",
            f"no REPORT line of {', '.join(map(str, asked.files or names))} "
            f"since {asked.since:%Y-%m-%d %H:%M} UTC",
            "Look further back with --since; a function whose SystemLogLevel is WARN writes none",
        )
    functions = sorted({entry.function for entry in seen})
    for silent in () if asked.files else sorted({*map(bare_name, names)} - {*functions}):
        reprise.out.warn(f"{silent} wrote no REPORT line: it is left out")
    pinged = _environments(functions, window, asked.concurrency)
    per_hour = {
        name: {hour: pings * each for hour, pings in Counter(at.hour for at in due).items()}
        for name, each in pinged.items()
    }
    hours = by_hour(seen, zone)
    return Survey(
        seen=seen,
        zone=zone,
        schedule=schedule,
        since=since,
        due=len(due),
        pings={name: len(due) * each for name, each in pinged.items()},
        hours=hours,
        live=live_by_hour(hours, per_hour),
    )


def pings_between(
    expression: str, zone: ZoneInfo, start: datetime, end: datetime
) -> list[datetime]:
    """Return when a window is due in a span, in its zone.

    Raises:
        UsageError: If the expression is none.
    """
    try:
        parsed = parse_expression(expression)
    except ScheduleError as error:
        raise UsageError("--schedule", error.message, error.next_step) from error
    found = []
    for at in runs(parsed, zone, start):
        if at > end:
            break
        found.append(at)
    return found


def read_since(text: str, now: datetime) -> datetime:
    """Return how far back `--since` goes.

    Raises:
        UsageError: If it cannot be understood.
    """
    seconds = read_duration("--since", text)
    if not 0 < seconds <= _MAX_SINCE_S:
        raise UsageError("--since", f"{text!r} is not 1s to 3650d", "Write 7d")
    return now - timedelta(seconds=seconds)


def _environments(
    functions: list[str], window: WarmWindow | None, concurrency: int | None
) -> dict[str, int]:
    """Return how often each due time pings a function; without the stack's window, all alike."""
    if window is None:
        return dict.fromkeys(functions, concurrency or 1)
    if concurrency is not None:
        window = replace(window, concurrency=concurrency)
    return {name: window.environments.get(name, 0) for name in functions}


def _from_stack(reprise: App, functions: Sequence[str], start: datetime) -> list[Seen]:
    seen: list[Seen] = []
    client, logs = reprise.aws.functions, reprise.aws.logs
    for name in sorted({bare_name(name) for name in functions}):
        try:
            configuration = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException as error:
            raise CommandError(
                "--function", f"there is no function {name!r}", "Correct the name or the region"
            ) from error
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        try:
            seen += from_logs(logs, name, group, start)
        except logs.exceptions.ResourceNotFoundException:
            reprise.out.warn(f"there is no log group {group}: {name} has never run")
    return seen


def _zone(name: str) -> ZoneInfo:
    try:
        return find_zone(name)
    except ScheduleError as error:
        raise UsageError("--timezone", error.message, error.next_step) from error
