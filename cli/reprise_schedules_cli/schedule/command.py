"""`reprise schedule`: make the stack's schedules equal to a file of jobs, and look after them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from reprise.instant import format_instant, utc_now
from reprise_batch.jobs import BatchJobs
from reprise_cli.app import App, app_of
from reprise_schedules.follow import RunResolver
from reprise_schedules.run import RunEvent
from reprise_schedules.table import JobTable
from reprise_schedules_cli.schedule.carry_out import Policies, carry_out
from reprise_schedules_cli.schedule.group import Group, is_ours
from reprise_schedules_cli.schedule.job_check import Checked, check_jobs, policies_of
from reprise_schedules_cli.schedule.job_file import read_job_file
from reprise_schedules_cli.schedule.plan import (
    SchedulePlace,
    SchedulePlan,
    make_plan,
    wanted_schedule,
)
from reprise_schedules_cli.schedule.view import (
    describe_history,
    describe_jobs,
    describe_plan,
    show_history,
    show_jobs,
    show_plan,
)

if TYPE_CHECKING:
    from reprise_schedules.run import JobState

app = typer.Typer(
    help="Scheduled jobs: a file of jobs is what the stack's schedules become.",
    no_args_is_help=True,
)

FileOption = Annotated[Path, typer.Option("--file", "-f", help="File of jobs.", show_default=True)]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a job.")]
DEFAULT_FILE = Path("jobs.yaml")
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
        carry_out(plan, _group(reprise), _policies(reprise), done)
    reprise.out.show(f"{len(plan.steps)} changes made")
    reprise.out.result({**describe_plan(plan), "applied": len(plan.steps)})


@app.command("list")
def list_jobs(context: typer.Context) -> None:
    """List the jobs of the stack."""
    reprise = app_of(context)
    found = _group(reprise).read()
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


@app.command("run")
def run(context: typer.Context, name: NameArgument) -> None:
    """Let a job run now, by its own rules: it is skipped or queued as at its own time."""
    reprise = app_of(context)
    schedule = _group(reprise).find(name)
    reprise.say_place()
    message: dict[str, Any] = json.loads(schedule["Target"]["Input"])
    message["scheduled_at"] = format_instant(utc_now())
    reprise.aws.sqs.send_message(
        QueueUrl=reprise.schedules.jobs_queue_url, MessageBody=json.dumps(message)
    )
    reprise.out.show(
        f"{name} is due as of {message['scheduled_at']}: `reprise schedule history {name}`"
    )
    reprise.out.result({"job": name, "scheduled_at": message["scheduled_at"]})


@app.command("pause")
def pause(context: typer.Context, name: NameArgument) -> None:
    """Let a job rest; `apply` leaves it at rest until it is resumed."""
    _set_state(app_of(context), name, "DISABLED")


@app.command("resume")
def resume(context: typer.Context, name: NameArgument) -> None:
    """Let a paused job run again."""
    _set_state(app_of(context), name, "ENABLED")


@app.command("history")
def history(context: typer.Context, name: NameArgument) -> None:
    """Show the last runs of a job: what was decided, and how each ended."""
    reprise = app_of(context)
    table = JobTable(reprise.aws.dynamodb, reprise.stack.ledger_table, utc_now)
    state = _followed(reprise, table.read(name))
    if not state.runs:
        # A job that was deleted keeps its history; a name that was misspelt has neither.
        _group(reprise).look_up(name)
    show_history(reprise.out, name, state)
    reprise.out.result(describe_history(name, state))


def _followed(reprise: App, state: JobState) -> JobState:
    """Return the runs as they stand now; what the runner has not looked up yet is shown, not written."""
    # The SDK, for which a mere --help would wait.
    from reprise.aws.clients import lazily  # noqa: PLC0415 - see above

    follow = RunResolver(ledger=reprise.ledger, batch=lazily(lambda: BatchJobs(reprise.aws.batch)))
    now = utc_now()
    for entry in state.runs:
        found = follow(entry, now) if entry.state in ("captured", "submitted") else None
        if isinstance(found, RunEvent):
            state = state.change(entry.scheduled_at, found, now)
    return state


def _set_state(reprise: App, name: str, state: str) -> None:
    group = _group(reprise)
    found = group.find(name)
    reprise.say_place()
    kept = {key: found[key] for key in _KEPT if key in found}
    group.update({**kept, "State": state})
    word = "paused" if state == "DISABLED" else "on"
    reprise.out.show(f"{name} is {word}")
    reprise.out.result({"job": name, "is_paused": state == "DISABLED"})


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
    return make_plan(wanted, _group(reprise).read(), policies, document)


def _group(reprise: App) -> Group:
    return Group(client=reprise.aws.scheduler, name=reprise.schedules.jobs_group)


def _policies(reprise: App) -> Policies:
    return Policies(reprise.aws.ssm, reprise.stack.policy_parameter)
