"""Show jobs, plans and histories to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table

from reprise_cli.fitted import WIDE, Column, Fitted
from reprise_schedules.run import RunState
from reprise_schedules_cli.schedule.plan import SchedulePlan, Verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reprise_cli.output import Output
    from reprise_schedules.run import JobState
    from reprise_schedules_cli.schedule.all_runs import ListedRun
    from reprise_schedules_cli.schedule.job_check import Checked

_SIGNS = {Verb.CREATE: "+", Verb.UPDATE: "~", Verb.DELETE: "-", Verb.POLICY: "~"}


def show_jobs(out: Output, checked: Sequence[Checked], now: datetime) -> None:
    """Show valid jobs, each with its next runs."""
    table = Table("job", "target", "overlap", "next five runs", title=f"{len(checked)} valid jobs")
    for entry in checked:
        target, times = entry.request.target.name, entry.next_runs(now)
        text = "\n".join(f"{at:%a %Y-%m-%d %H:%M %Z}" for at in times)
        table.add_row(entry.job.name, target, entry.job.overlap.value, text)
    out.show(table)


def describe_jobs(checked: Sequence[Checked], now: datetime) -> list[dict[str, Any]]:
    """Return valid jobs for programs."""
    return [
        {
            "name": entry.job.name,
            "target": entry.request.target.function,
            "overlap": entry.job.overlap.value,
            "next_runs": [at.isoformat() for at in entry.next_runs(now)],
        }
        for entry in checked
    ]


def show_plan(out: Output, plan: SchedulePlan) -> None:
    """Show what a plan would change."""
    for step in plan.steps:
        what = "of " if step.verb is Verb.POLICY else ""
        out.show(f"{_SIGNS[step.verb]} {step.verb.value} {what}{step.name}")
        for difference in step.differences:
            out.show(f"    {difference}")
    for name in plan.paused:
        out.show(f"  {name} stays paused: `reprise schedule resume {name}` lets it run")
    for name in plan.foreign:
        out.show(f"  {name} was not made from a file of jobs, and stays as it is")
    if not plan.steps:
        out.show("nothing to change")


def describe_plan(plan: SchedulePlan) -> dict[str, Any]:
    """Return a plan for programs."""
    return {
        "changes": [
            {"verb": step.verb.value, "name": step.name, "differences": list(step.differences)}
            for step in plan.steps
        ],
        "paused": list(plan.paused),
        "foreign": list(plan.foreign),
    }


def show_history(out: Output, job: str, state: JobState) -> None:
    """Show the runs of a job, the newest first."""
    table = Table("scheduled", "state", "since", "call", "message", title=f"runs of {job}")
    for run in reversed(state.runs):
        table.add_row(
            run.scheduled_at, run.state.value, run.changed_at, run.call_id or "", run.message or ""
        )
    out.show(table)
    given_up = [run.call_id for run in state.runs if run.state is RunState.DEAD_LETTERED]
    if given_up:
        out.note(f"why one was given up: `reprise status {given_up[-1]}`")
    if not state.runs:
        out.note(f"{job} has not run yet: `reprise schedule list` shows its schedule")


def describe_history(job: str, state: JobState) -> dict[str, Any]:
    """Return the runs of a job for programs, the newest first."""
    return {"job": job, "runs": msgspec.to_builtins(state.runs[::-1])}


def show_runs(out: Output, runs: Sequence[ListedRun], jobs: int, left: int) -> None:
    """Show runs of several jobs."""
    columns = (
        Column(name="due", cells=[run.at[:19] + "Z" for run in runs], rank=0),
        Column(name="job", cells=[run.job for run in runs], rank=1, least=12),
        Column(name="state", cells=[run.state.value for run in runs], rank=1),
        Column(name="by", cells=[run.by.value for run in runs], rank=3),
        Column(
            name="why",
            cells=[" ".join((run.message or "").split()) for run in runs],
            rank=2,
            least=12,
            is_shortened=True,
        ),
        Column(name="call", cells=[run.call_id or "" for run in runs], rank=4),
        Column(
            name="since", cells=[run.since[:19] + "Z" if run.since else "" for run in runs], rank=5
        ),
    )
    title = f"{len(runs)} runs of {jobs} jobs" + (f", {left} more: --limit" if left else "")
    out.show(Fitted(columns=columns, title=title, wanted=2, hint=WIDE))


def describe_runs(runs: Sequence[ListedRun], left: int) -> dict[str, Any]:
    """Return runs of several jobs for programs."""
    documents = [
        {
            "job": run.job,
            "due_at": run.at,
            "state": run.state.value,
            "by": run.by.value,
            "since": run.since or None,
            "call_id": run.call_id,
            "message": run.message,
        }
        for run in runs
    ]
    return {"runs": documents, "left": left}
