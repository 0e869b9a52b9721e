"""What people do to jobs: let one run, rest, run again, and make up for what was missed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprise.errors import ScheduleError
from reprise.instant import format_instant, utc_now
from reprise_cli.app import App, app_of
from reprise_cli.exits import CommandError
from reprise_schedules.table import JobTable
from reprise_schedules_cli.schedule.group import group_of
from reprise_schedules_cli.schedule.missed import Missed, find_missed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a job.")]
_KEPT = (
    "Name",
    "GroupName",
    "Description",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "ActionAfterCompletion",
)


def run(context: typer.Context, name: NameArgument) -> None:
    """Let a job run now, by its own rules: it is skipped or queued as at its own time."""
    reprise = app_of(context)
    schedule = group_of(reprise).find(name)
    reprise.say_place()
    message: dict[str, Any] = json.loads(schedule["Target"]["Input"])
    message["scheduled_at"] = format_instant(utc_now())
    _send(reprise, [json.dumps(message)])
    reprise.out.show(
        f"{name} is due as of {message['scheduled_at']}: `reprise schedule history {name}`"
    )
    reprise.out.result({"job": name, "scheduled_at": message["scheduled_at"]})


def pause(context: typer.Context, name: NameArgument) -> None:
    """Let a job rest; `apply` leaves it at rest until it is resumed."""
    reprise = app_of(context)
    found = group_of(reprise).find(name)
    reprise.say_place()
    _set_state(reprise, found, "DISABLED")
    reprise.out.show(f"{name} is paused")
    reprise.out.result({"job": name, "is_paused": True})


def resume(context: typer.Context, name: NameArgument) -> None:
    """Let a paused job run again, and make up for the pause as its `catch_up` says."""
    reprise, now = app_of(context), utc_now()
    found = group_of(reprise).find(name)
    is_paused = found["State"] == "DISABLED"
    missed = _missed(reprise, found, now) if is_paused else None
    reprise.say_place()
    # First what was missed: once it is on, nobody knows any more since when it had been paused.
    _send(reprise, missed.bodies() if missed else [])
    _set_state(reprise, found, "ENABLED")
    reprise.out.show(f"{name} is on")
    if missed:
        _show(reprise, missed)
    instants = [format_instant(at) for at in missed.instants] if missed else []
    reprise.out.result({"job": name, "is_paused": False, "caught_up": instants})


def catch_up(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One job. Default: all.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what was missed.")] = False,
) -> None:
    """Make up for what was never sent, as each job's `catch_up` says; within its deadline, nothing twice."""
    reprise, now = app_of(context), utc_now()
    group = group_of(reprise)
    found = group.read() if name is None else {name: group.look_up(name)}
    # A paused job is to rest: what it misses is made up for when it is resumed.
    on = [schedule for _, schedule in sorted(found.items()) if schedule["State"] == "ENABLED"]
    missed = [each for schedule in on if (each := _missed(reprise, schedule, now)) is not None]
    if name is not None and not missed:
        why = "is paused" if not on else "catches nothing up"
        step = f"`reprise schedule resume {name}`" if not on else "Set its catch_up to last or all"
        raise CommandError("NAME", f"job {name!r} {why}", step)
    if not dry_run:
        reprise.say_place()
    for each in missed:
        _show(reprise, each, is_rehearsed=dry_run)
        if not dry_run:
            _send(reprise, each.bodies())
    if not any(each.instants for each in missed):
        reprise.out.show(f"nothing was missed, by the {len(missed)} jobs that catch up")
    jobs = [
        {
            "name": each.job,
            "instants": [format_instant(at) for at in each.instants],
            "left": each.left,
        }
        for each in missed
    ]
    reprise.out.result({"dry_run": dry_run, "jobs": jobs})


def _missed(reprise: App, schedule: Mapping[str, Any], now: datetime) -> Missed | None:
    table = JobTable(reprise.aws.dynamodb, reprise.stack.ledger_table, utc_now)
    try:
        return find_missed(schedule, table.read(schedule["Name"]), now)
    except ScheduleError as error:
        reprise.out.warn(f"{schedule['Name']} is left out: {error}")
        return None


def _show(reprise: App, missed: Missed, *, is_rehearsed: bool = False) -> None:
    verb = "would be" if is_rehearsed else "are"
    for at in missed.instants:
        reprise.out.show(
            f"{missed.job} {verb} due as of {at:%a %Y-%m-%d %H:%M %Z}".replace(" are ", " is ", 1)
        )
    if missed.left:
        reprise.out.note(
            f"{missed.left} later ones were missed, too: say `reprise schedule catch-up {missed.job}` again"
        )


def _set_state(reprise: App, found: Mapping[str, Any], state: str) -> None:
    kept = {key: found[key] for key in _KEPT if key in found}
    group_of(reprise).update({**kept, "State": state})


def _send(reprise: App, bodies: list[str]) -> None:
    for body in bodies:
        reprise.aws.sqs.send_message(QueueUrl=reprise.schedules.jobs_queue_url, MessageBody=body)
