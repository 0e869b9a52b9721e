"""Write a decision into the run that it is about, and into those that it ends: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.instant import format_instant
from reprise_schedules.decision import Expire, Recover, Skip, Start, Stop, Wait
from reprise_schedules.run import RunEvent, RunState

if TYPE_CHECKING:
    from datetime import datetime

    from reprise_schedules.decision import Decision
    from reprise_schedules.message import RunRequest
    from reprise_schedules.run import JobState


def written(
    job: JobState, due: RunRequest, decision: Decision, *, owner: str, until_ms: int, now: datetime
) -> JobState:
    """Return the job with a decision in it.

    Args:
        job: As it was read.
        due: The run that is decided on.
        decision: What becomes of it.
        owner: Who holds it if it starts.
        until_ms: Until when, milliseconds since the epoch.
        now: The present.
    """
    at = due.scheduled_at
    after = job
    match decision:
        case Start(note=note):
            after = job.change(
                at,
                RunEvent.START,
                now,
                owner=owner,
                until_ms=until_ms,
                started_at=format_instant(now),
                asking_since=None,
                message=note,
            )
        case Skip(message=why):
            after = job.change(at, RunEvent.SKIP, now, message=why)
        case Expire():
            after = job.change(
                at, RunEvent.EXPIRE, now, message="its deadline came before its turn"
            )
        case Wait():
            after = _waiting(job, due, decision, now)
        case Stop(job_ids=job_ids):
            after = _ending(job, due, job_ids, now)
        case Recover() if job.find(at).state is RunState.RUNNING:
            after = job.change(at, RunEvent.LOSE, now)
        case _:
            pass
    return after


def _waiting(job: JobState, due: RunRequest, decision: Wait, now: datetime) -> JobState:
    at = due.scheduled_at
    if decision.is_queued:
        job = _queued(job, due, now, is_late=decision.is_late)
    if decision.is_asking and job.find(at).asking_since is None:
        why = "Batch does not say which jobs are going"
        job = job.amend(at, asking_since=format_instant(now), message=why)
    return job


def _ending(job: JobState, due: RunRequest, job_ids: tuple[str, ...], now: datetime) -> JobState:
    """Return the job in which a run waits for others to end, which know for whose sake."""
    at = due.scheduled_at
    if job.find(at).state is RunState.DUE:
        job = _queued(job, due, now, message=f"ends batch job {job_ids[0]} first")
    for run in job.others(at):
        if run.call_id in job_ids and run.replaced_by != at:
            why = f"replaced by the run of {at}"
            job = job.amend(run.scheduled_at, replaced_by=at, message=why)
    return job


def _queued(job: JobState, due: RunRequest, now: datetime, **changes: object) -> JobState:
    until_ms = int(due.deadline_at.timestamp() * 1000)
    return job.change(due.scheduled_at, RunEvent.QUEUE, now, until_ms=until_ms, **changes)
