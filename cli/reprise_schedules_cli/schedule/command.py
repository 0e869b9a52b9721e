"""`reprise schedule`: make the stack's schedules equal to a file of jobs, and look after them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from reprise.instant import utc_now
from reprise_cli.app import App, app_of
from reprise_schedules_cli.schedule import by_hand, runs
from reprise_schedules_cli.schedule.carry_out import Policies, carry_out
from reprise_schedules_cli.schedule.group import group_of, is_ours
from reprise_schedules_cli.schedule.job_check import Checked, check_jobs, policies_of
from reprise_schedules_cli.schedule.job_file import read_job_file
from reprise_schedules_cli.schedule.plan import (
    SchedulePlace,
    SchedulePlan,
    make_plan,
    wanted_schedule,
)
from reprise_schedules_cli.schedule.view import (
    describe_jobs,
    describe_plan,
    show_jobs,
    show_plan,
)

app = typer.Typer(
    help="Scheduled jobs: a file of jobs is what the stack's schedules become.",
    no_args_is_help=True,
)

FileOption = Annotated[Path, typer.Option("--file", "-f", help="File of jobs.", show_default=True)]
DEFAULT_FILE = Path("jobs.yaml")


@app.command("validate")
def validate(context: typer.Context, *, file: FileOption = DEFAULT_FILE) -> None:
    """Check a file of jobs, and show when each job runs next; changes nothing."""
    reprise, now = app_of(context), utc_now()
    checked = _checked(reprise, file)
    show_jobs(reprise.out, checked, now)
    reprise.out.result({"jobs": describe_jobs(checked, now)})


@app.command("diff")
def diff(context: typer.Context, *, file: FileOption = DEFAULT_FILE) -> None:
    """Show what `apply` would change; changes nothing."""
    reprise = app_of(context)
    plan = _plan(reprise, file)
    show_plan(reprise.out, plan)
    reprise.out.result(describe_plan(plan))


@app.command("apply")
def apply(context: typer.Context, *, file: FileOption = DEFAULT_FILE) -> None:
    """Make the stack's schedules equal to a file of jobs; shows the plan first."""
    reprise = app_of(context)
    plan = _plan(reprise, file)
    show_plan(reprise.out, plan)
    reprise.say_place()
    with reprise.out.progress("applying", len(plan.steps)) as done:
        carry_out(plan, group_of(reprise), _policies(reprise), done)
    reprise.out.show(f"{len(plan.steps)} changes made")
    reprise.out.result({**describe_plan(plan), "applied": len(plan.steps)})


@app.command("list")
def list_jobs(context: typer.Context) -> None:
    """List the jobs of the stack."""
    reprise = app_of(context)
    found = group_of(reprise).read()
    table = Table("job", "schedule", "time zone", "state", "made by", title=f"{len(found)} jobs")
    for name, schedule in sorted(found.items()):
        state = "paused" if schedule["State"] == "DISABLED" else "on"
        maker = "file of jobs" if is_ours(schedule) else "others"
        zone = schedule.get("ScheduleExpressionTimezone", "UTC")
        table.add_row(name, schedule["ScheduleExpression"], zone, state, maker)
    reprise.out.show(table)
    documents = [
        {
            "name": name,
            "schedule": schedule["ScheduleExpression"],
            "timezone": schedule.get("ScheduleExpressionTimezone", "UTC"),
            "is_paused": schedule["State"] == "DISABLED",
            "is_ours": is_ours(schedule),
        }
        for name, schedule in sorted(found.items())
    ]
    reprise.out.result({"jobs": documents})


app.command("run")(by_hand.run)
app.command("pause")(by_hand.pause)
app.command("resume")(by_hand.resume)
app.command("catch-up")(by_hand.catch_up)
app.command("history")(runs.history)
app.command("runs")(runs.runs)


def _checked(reprise: App, file: Path) -> list[Checked]:
    jobs = read_job_file(file)
    # The root's, too: its replayer would refuse what is captured of other targets.
    check_jobs(jobs, reprise.stack.targets, utc_now())
    return check_jobs(jobs, tuple(reprise.schedules.target_arns.split(",")), utc_now())


def _plan(reprise: App, file: Path) -> SchedulePlan:
    checked = _checked(reprise, file)
    zones = read_job_file(file)
    addon = reprise.schedules
    place = SchedulePlace(
        group=addon.jobs_group,
        queue_arn=addon.jobs_queue_arn,
        dead_letter_queue_arn=addon.jobs_dead_letter_queue_arn,
        role_arn=addon.jobs_scheduler_role_arn,
    )
    wanted = [wanted_schedule(entry, zones.zone_name(entry.job), place) for entry in checked]
    policies = policies_of(checked)
    document = _policies(reprise).read() if policies else {}
    return make_plan(wanted, group_of(reprise).read(), policies, document)


def _policies(reprise: App) -> Policies:
    return Policies(reprise.aws.ssm, reprise.stack.policy_parameter)
