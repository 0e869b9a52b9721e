"""`reprise warm`: whether a warm window is worth its cost."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from reprise.errors import ScheduleError
from reprise.instant import utc_now
from reprise_cli.app import App, app_of
from reprise_cli.duration import format_duration, read_duration
from reprise_cli.exits import CommandError, UsageError
from reprise_schedules.warm import read_order
from reprise_schedules_cli.schedule.expression import find_zone, parse_expression, runs
from reprise_schedules_cli.warm.collect import from_files, from_logs
from reprise_schedules_cli.warm.shares import (
    Seen,
    bare_name,
    by_hour,
    hours_field,
    live_by_hour,
    ping_cost_usd,
    suggest_hours,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MAX_SINCE_S: Final = 3650 * 86_400
app = typer.Typer(help="Warm windows: what they save, and what they cost.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the group, though it has one command."""


@app.command("report")
def report(
    context: typer.Context,
    *,
    function: Annotated[
        list[str] | None, typer.Option(help="Function, again for more. Default: the warmed ones.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(help="Exported log events of one function, instead of its log group."),
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: 12h, 7d.")] = "7d",
    schedule: Annotated[
        str | None, typer.Option(help="Warm schedule. Default: the stack's.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Its time zone.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Pings at once.")] = None,
) -> None:
    """Show each function's cold-start share by hour, the window's cost, and a tighter window."""
    reprise, now = app_of(context), utc_now()
    start = now - timedelta(seconds=_seconds(since))
    window = _window(reprise) if file is None and schedule is None else None
    count = concurrency or (window.concurrency if window else 1)
    zone = _zone(timezone or (window.timezone if window else "UTC"))
    text = schedule or (window.schedule if window else None)
    # A window pings nothing before it is deployed.
    since_when = max(start, window.made_at) if window else start
    pings_at = _pings(text, zone, since_when, now) if text else []
    names = function or (list(window.functions) if window else [])
    if not names and not file:
        raise CommandError(
            "--function",
            f"no add-on {reprise.options.schedules_name!r} keeps functions warm",
            "Deploy addons/schedules with WarmFunctions, or say which: --function NAME",
        )
    seen = list(from_files(file)) if file else _from_stack(reprise, names, start)
    if not seen:
        raise CommandError(
            "--file" if file else "--function",
            f"no REPORT line of {', '.join(map(str, file or names))} since {start:%Y-%m-%d %H:%M} UTC",
            "Look further back with --since; a function whose SystemLogLevel is WARN writes none",
        )
    hours = by_hour(seen, zone)
    functions = sorted({entry.function for entry in seen})
    for silent in sorted({bare_name(name) for name in names} - set(functions)) if not file else ():
        reprise.out.warn(f"{silent} wrote no REPORT line: it is left out")
    pinged = _pings_of(functions, window, count)
    per_hour = {
        name: {hour: pings * each for hour, pings in Counter(pings_at).items()}
        for name, each in pinged.items()
    }
    better = suggest_hours(live_by_hour(hours, per_hour))
    totals = {name: len(pings_at) * each for name, each in pinged.items()}
    cost_usd = ping_cost_usd(seen, totals)
    table = Table(
        "function", "hour", "invocations", "cold", "share", "longest init", title=zone.key
    )
    for hour in hours:
        table.add_row(
            hour.function, f"{hour.hour:02}", str(hour.invocations), str(hour.cold_starts),
            f"{hour.cold_share:.1%}", f"{hour.longest_init_ms:.0f} ms",
        )  # fmt: skip
    reprise.out.show(table)
    if text:
        span = format_duration((now - since_when).total_seconds())
        reprise.out.show(
            f"the window was due {len(pings_at)} times in {span}: {sum(totals.values())} pings, "
            f"about {cost_usd:.4f} USD at list price"
        )
    else:
        reprise.out.show("no warm schedule is known (--schedule): every invocation counts as live")
    reprise.out.show(
        f"95 % of the live calls are in hours {hours_field(better)}"
        if better
        else "no live calls: there were not more invocations than pings"
    )
    documents = [
        {
            "function": hour.function,
            "hour": hour.hour,
            "invocations": hour.invocations,
            "cold_starts": hour.cold_starts,
            "cold_share": hour.cold_share,
            "longest_init_ms": hour.longest_init_ms,
        }
        for hour in hours
    ]
    suggestion = f"cron(0/10 {hours_field(better)} * * ? *)" if better else None
    reprise.out.result(
        {
            "timezone": zone.key,
            "hours": documents,
            "pings": sum(totals.values()),
            "cost_usd": cost_usd,
            "suggested_schedule": suggestion,
        }
    )


def _pings(expression: str, zone: ZoneInfo, start: datetime, now: datetime) -> list[int]:
    """Return the hour of the day of each ping of a window in a span."""
    try:
        parsed = parse_expression(expression)
    except ScheduleError as error:
        raise UsageError("--schedule", error.message, error.next_step) from error
    found = []
    for at in runs(parsed, zone, start):
        if at > now:
            break
        found.append(at.hour)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A stack's warm window."""

    schedule: str
    timezone: str
    functions: tuple[str, ...]
    concurrency: int
    made_at: datetime


def _window(reprise: App) -> _Window | None:
    """Return the add-on's warm window, if there is one."""
    schedules = reprise.schedules_if_any
    if schedules is None or schedules.warmer is None:
        return None
    name = schedules.warm_window
    found = reprise.aws.scheduler.get_schedule(GroupName=name, Name=name)
    order = read_order(json.loads(found["Target"]["Input"]))
    return _Window(
        schedule=found["ScheduleExpression"],
        timezone=found.get("ScheduleExpressionTimezone", "UTC"),
        functions=order.names,
        concurrency=order.concurrency,
        made_at=found["CreationDate"],
    )


def _pings_of(functions: list[str], window: _Window | None, count: int) -> dict[str, int]:
    """Return how often each due time pings a function; without the stack's window, all alike."""
    if window is None:
        return dict.fromkeys(functions, count)
    # A function may stand there more than once: as it is, and by an alias.
    listed = Counter(bare_name(name) for name in window.functions)
    return {name: listed[name] * count for name in functions}


def _from_stack(reprise: App, functions: list[str], start: datetime) -> list[Seen]:
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


def _seconds(text: str) -> float:
    seconds = read_duration("--since", text)
    if not 0 < seconds <= _MAX_SINCE_S:
        raise UsageError("--since", f"{text!r} is not 1s to 3650d", "Write 7d")
    return seconds
