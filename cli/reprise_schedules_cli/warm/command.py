"""`reprise warm`: whether a warm window is worth its cost, and a tighter one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from reprise.instant import utc_now
from reprise_cli.app import app_of
from reprise_cli.duration import format_duration
from reprise_schedules_cli.warm.apply import apply
from reprise_schedules_cli.warm.shares import hours_field
from reprise_schedules_cli.warm.survey import Asked, find_window, read_since, survey
from reprise_schedules_cli.warm.tighter import tightened

app = typer.Typer(help="Warm windows: what they save, and what they cost.", no_args_is_help=True)


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
    asked = Asked(
        since=read_since(since, now),
        now=now,
        functions=tuple(function or ()),
        files=tuple(file or ()),
        schedule=schedule,
        timezone=timezone,
        concurrency=concurrency,
    )
    window = find_window(reprise) if file is None and schedule is None else None
    found = survey(reprise, asked, window)
    table = Table(
        "function", "hour", "invocations", "cold", "share", "longest init", title=found.zone.key
    )
    for hour in found.hours:
        table.add_row(
            hour.function, f"{hour.hour:02}", str(hour.invocations), str(hour.cold_starts),
            f"{hour.cold_share:.1%}", f"{hour.longest_init_ms:.0f} ms",
        )  # fmt: skip
    reprise.out.show(table)
    if found.schedule:
        span = format_duration((now - found.since).total_seconds())
        reprise.out.show(
            f"the window was due {found.due} times in {span}: {sum(found.pings.values())} pings, "
            f"about {found.cost_usd:.4f} USD at list price"
        )
    else:
        reprise.out.show("no warm schedule is known (--schedule): every invocation counts as live")
    reprise.out.show(
        f"95 % of the live calls are in hours {hours_field(found.better)}"
        if found.better
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
        for hour in found.hours
    ]
    reprise.out.result(
        {
            "timezone": found.zone.key,
            "hours": documents,
            "pings": sum(found.pings.values()),
            "cost_usd": found.cost_usd,
            "suggested_schedule": tightened(found.schedule, found.better) if found.better else None,
        }
    )


app.command("apply")(apply)
