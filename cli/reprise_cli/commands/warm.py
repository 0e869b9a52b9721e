"""`reprise warm`: whether a warm window is worth its cost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reprise.errors import ScheduleError
from reprise.schedule.expression import find_zone, parse_expression, runs
from reprise.schedule.ping import read_order
from reprise_cli.app import App, app_of
from reprise_cli.duration import parse_duration
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.schedule.job_file import utc_now
from reprise_cli.warm.collect import from_files, from_logs
from reprise_cli.warm.shares import (
    Seen,
    by_hour,
    hours_field,
    live_by_hour,
    ping_cost_usd,
    suggest_hours,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

app = typer.Typer(help="Warm windows: what they save, and what they cost.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the group, though it has one command."""


@app.command("report")
def report(  # noqa: PLR0913 - one option a thing that may be said
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
    window = _window(reprise) if file is None and schedule is None else {}
    expression_text = schedule or window.get("schedule") or "rate(1 day)"
    count = concurrency or int(window.get("concurrency") or 1)
    try:
        zone = find_zone(timezone or window.get("timezone") or "UTC")
        pings_at = _pings(expression_text, zone, start, now) if schedule or window else []
    except ScheduleError as error:
        raise CommandError("--schedule", error.message, error.next_step, ExitCode.USAGE) from error
    names = function or [name for name in window.get("functions", "").split(",") if name]
    seen = list(from_files(file)) if file else _from_stack(reprise, names, start)
    if not seen:
        raise CommandError(
            "--function",
            "no REPORT line was found",
            "Name functions that ran, or look further back",
        )
    hours = by_hour(seen, zone)
    days = max(1, round((now - start).total_seconds() / 86_400))
    per_hour = {hour: round(pings / days) * count for hour, pings in Counter(pings_at).items()}
    better = suggest_hours(live_by_hour(hours, per_hour, days))
    functions = sorted({entry.function for entry in seen})
    cost_usd = ping_cost_usd(seen, dict.fromkeys(functions, len(pings_at) * count))
    table = Table(
        "function", "hour", "invocations", "cold", "share", "longest init", title=zone.key
    )
    for hour in hours:
        table.add_row(
            hour.function, f"{hour.hour:02}", str(hour.invocations), str(hour.cold_starts),
            f"{hour.cold_share:.1%}", f"{hour.longest_init_ms:.0f} ms",
        )  # fmt: skip
    reprise.out.show(table)
    reprise.out.show(
        f"{len(pings_at)} pings of {count} a function in {days} days: "
        f"about {cost_usd:.4f} USD at list price"
    )
    reprise.out.show(f"95 % of the live calls are in hours {hours_field(better) or '(none)'}")
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
            "pings": len(pings_at) * count * len(functions),
            "cost_usd": cost_usd,
            "suggested_schedule": suggestion,
        }
    )


def _pings(expression: str, zone: ZoneInfo, start: datetime, now: datetime) -> list[int]:
    """Return the hour of the day of each ping of a window in a span."""
    found = []
    for at in runs(parse_expression(expression), zone, start):
        if at > now:
            break
        found.append(at.hour)
    return found


def _window(reprise: App) -> dict[str, str]:
    """Return the stack's warm window; empty if it has none."""
    if reprise.stack.warmer is None:
        return {}
    name = f"{reprise.stack.name}-warm"
    found = reprise.aws.scheduler.get_schedule(GroupName=name, Name=name)
    order = read_order(json.loads(found["Target"]["Input"]))
    return {
        "schedule": found["ScheduleExpression"],
        "timezone": found.get("ScheduleExpressionTimezone", "UTC"),
        "functions": order.functions,
        "concurrency": str(order.concurrency),
    }


def _from_stack(reprise: App, functions: list[str], start: datetime) -> list[Seen]:
    seen: list[Seen] = []
    for name in functions:
        configuration = reprise.aws.functions.get_function_configuration(FunctionName=name)
        bare = configuration["FunctionName"]
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{bare}"
        seen += from_logs(reprise.aws.logs, bare, group, start)
    return seen


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise CommandError("--since", str(error), "Write 12h or 7d", ExitCode.USAGE) from error
