"""`reprise warm apply`: give the stack's warm window the tighter hours that the report suggests.

The schedule is the stack's, made of its parameter WarmSchedule: changed past CloudFormation it would be
drift, and the next deployment would put the old one back without a word. So the parameter is changed, by
UpdateStack with the template that is there and all other parameters as they are. `sam deploy` keeps what it
is not told.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Final

import typer
from botocore.exceptions import WaiterError

from reprise.instant import utc_now
from reprise_cli.app import App, app_of
from reprise_cli.exits import CommandError, UsageError
from reprise_schedules_cli.schedule.expression import find_zone, write_expression
from reprise_schedules_cli.warm.shares import hours_field
from reprise_schedules_cli.warm.survey import (
    Asked,
    find_window,
    pings_between,
    read_since,
    survey,
)
from reprise_schedules_cli.warm.tighter import (
    MONTH,
    ScheduleChange,
    price_change,
    tightened,
    what_is_missing,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

    from reprise_schedules_cli.warm.shares import Seen
    from reprise_schedules_cli.warm.survey import WarmWindow

_PARAMETER: Final = "WarmSchedule"


def apply(
    context: typer.Context,
    *,
    since: Annotated[str, typer.Option(help="How far back calls count: 14d.")] = "14d",
    schedule: Annotated[
        str | None, typer.Option(help="This one, instead of what the report suggests.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give the stack's warm window the hours that `report` suggests; shows what that saves, and asks."""
    reprise, now = app_of(context), utc_now()
    start = read_since(since, now)
    window = find_window(reprise)
    if window is None:
        raise CommandError(
            "--schedules-stack",
            f"no add-on {reprise.options.schedules_name!r} keeps functions warm",
            "Deploy addons/schedules with WarmFunctions",
        )
    if schedule is not None:
        change = _priced(window, write_expression(schedule), (), now)
    else:
        change = _suggested(reprise, window, start, now)
    if change.new == change.old:
        raise CommandError(_PARAMETER, f"is {change.old} already", "There is nothing to do")
    reprise.out.copyable(
        f"now  {change.old}: {change.old_pings:,} pings in 30 days",
        f"then {change.new}: {change.new_pings:,} pings, time zone {window.timezone}",
    )
    if schedule is None:
        reprise.out.show(f"saves about {change.saved_usd:.4f} USD in 30 days at list price")
    if not dry_run:
        name = reprise.schedules.name
        reprise.need_answer(is_agreed=yes)
        reprise.say_place()
        reprise.confirm(f"Change {_PARAMETER} of stack {name}?", is_agreed=yes)
        _update(reprise, name, change.new)
        reprise.out.copyable(
            f"{_PARAMETER} of stack {name} is {change.new}. To go back:",
            f"reprise warm apply --schedule {shlex.quote(change.old)}",
        )
    reprise.out.result(
        {
            "old": change.old,
            "new": change.new,
            "old_pings": change.old_pings,
            "new_pings": change.new_pings,
            "saved_usd": None if schedule is not None else change.saved_usd,
            "applied": not dry_run,
        }
    )


def _suggested(reprise: App, window: WarmWindow, start: datetime, now: datetime) -> ScheduleChange:
    """Return the change to the hours that hold the live calls.

    Raises:
        CommandError: If too little is known, or that would be no tighter.
    """
    # Pings are reckoned by the expression in force: before it was, they were others.
    since = max(start, window.changed_at)
    found = survey(reprise, Asked(since=since, now=now), window)
    missing = what_is_missing(found, since, now)
    if missing is not None:
        raise CommandError(
            "history",
            f"is too short: {missing}",
            "Wait, look further back with --since, or say which: --schedule 'cron(...)'",
        )
    change = _priced(window, tightened(window.schedule, found.better), found.seen, now)
    if change.new_pings >= change.old_pings:
        raise CommandError(
            _PARAMETER,
            f"95 % of the live calls are in hours {hours_field(found.better)}, "
            f"which is no tighter than {change.old}",
            f"If you want it all the same: --schedule {shlex.quote(change.new)}",
        )
    reprise.out.show(f"95 % of the live calls are in hours {hours_field(found.better)}")
    return change


def _priced(window: WarmWindow, new: str, seen: Sequence[Seen], now: datetime) -> ScheduleChange:
    zone, until = find_zone(window.timezone), now + MONTH
    due = [len(pings_between(text, zone, now, until)) for text in (window.schedule, new)]
    return price_change((window.schedule, due[0]), (new, due[1]), window.environments, seen)


def _update(reprise: App, name: str, schedule: str) -> None:
    """Change the parameter, and nothing else of the stack.

    Raises:
        CommandError: If the stack is part of another one, or CloudFormation could not do it.
    """
    client = reprise.aws.cloudformation
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    if stack.get("ParentId"):
        raise UsageError(
            "--schedules-stack",
            f"{name} is part of another stack, which would put the old schedule back",
            f"Change {_PARAMETER} there: {schedule}",
        )
    parameters: list[ParameterTypeDef] = [
        {"ParameterKey": found["ParameterKey"], "UsePreviousValue": True}
        for found in stack.get("Parameters", [])
        if found["ParameterKey"] != _PARAMETER
    ]
    client.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[*parameters, {"ParameterKey": _PARAMETER, "ParameterValue": schedule}],
        # The template has a transform, and roles.
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = client.get_waiter("stack_update_complete")
    with reprise.out.progress("updating"):
        try:
            waiter.wait(StackName=name, WaiterConfig={"Delay": 1 if reprise.place.is_engine else 5})
        except WaiterError as error:
            raise CommandError(
                name,
                f"could not be updated: {error}",
                f"Look at its events: aws cloudformation describe-stack-events --stack-name {name}",
            ) from error
