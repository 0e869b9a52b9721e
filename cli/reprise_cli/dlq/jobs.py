"""Jobs that the stack runs, from outside: how they stand, watched, and stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import typer

from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.conduct import again, tell_end
from reprise_cli.dlq.desk import job_store
from reprise_cli.dlq.view import report_job
from reprise_cli.exits import CommandError
from reprise_cli.interrupt import INTERRUPTED, interruptible
from reprise_letters.job import LetterJobState
from reprise_letters.job_store import Cancel
from reprise_letters.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise_cli.app import App
    from reprise_letters.job import LetterJob

_POLL_S: Final = 2.0
_STOPS_WITHIN_S: Final = 20.0


def watch(reprise: App, name: str) -> None:
    """Watch a job until it ends; Ctrl-C stops only the watching.

    Raises:
        CommandError: If the stack does not run it.
        typer.Exit: If not all went well, or on Ctrl-C.
    """
    store = job_store(reprise)
    job = _of_stack(store.job(name))
    reprise.out.note(
        f"job {job.id}: Ctrl-C stops only the watching. Watch: {watch_command(job)}; stop it: {_cancel(job)}"
    )
    try:
        with interruptible():
            until(reprise, job, lambda status: status.meant > 0 or status.has_ended(utc_now()))
            status = until(reprise, job, lambda status: status.has_ended(utc_now()))
    except KeyboardInterrupt:
        reprise.out.note(f"not watched any more: job {job.id} goes on. Watch: {watch_command(job)}")
        raise typer.Exit(INTERRUPTED) from None
    letters, outcomes = store.letters(job.id), store.outcomes(job.id)
    why = status.last.why if status.last else ""
    report_job(reprise.out, job, letters, outcomes, status.state, why)
    tell_end(reprise, job, status.state, why, status.last.counts if status.last else {})


def cancel(reprise: App, name: str, why: str) -> None:
    """Have a job of the stack stop, and wait until it has.

    Raises:
        CommandError: If it has ended, or the stack does not run it.
    """
    store = job_store(reprise)
    job = _of_stack(store.job(name))
    status = status_of(reprise, job)
    if status.has_ended(utc_now()):
        raise CommandError(
            "JOB", f"{job.id} has ended: {status.state.value}", f"Look at `reprise audit {job.id}`"
        )
    reprise.say_place()
    store.cancel(job.id, Cancel(at=format_instant(utc_now()), by=reprise.operator, why=why))
    until_s = time.monotonic() + _STOPS_WITHIN_S
    while not status.has_ended(utc_now()) and time.monotonic() < until_s:
        time.sleep(_POLL_S)
        status = status_of(reprise, job)
        if not status.has_run(utc_now()) and status.state is LetterJobState.PLANNED:
            break
    has_ended = status.has_ended(utc_now())
    how = "stopped" if has_ended else "told to stop, and does when it next runs"
    reprise.out.show(f"job {job.id} {how}: {status.done:,} of {status.meant:,} done")
    reprise.out.note(f"go on: {again(job)}")
    reprise.out.result(
        {"job": job.id, "state": status.state.value, "done": status.done, "letters": status.meant}
    )


def status_of(reprise: App, job: LetterJob) -> JobStatus:
    """Return how a job stands."""
    store = job_store(reprise)
    last = store.last_segment(job.id)
    return JobStatus(
        job=job,
        segments=[last] if last else [],
        heartbeat=store.last_heartbeat(job.id) if job.selection is not None else None,
    )


def until(reprise: App, job: LetterJob, is_it: Callable[[JobStatus], bool]) -> JobStatus:
    """Look until a job stands as it should; show how it goes."""
    status = status_of(reprise, job)
    said, done = "", status.done
    total = status.meant or None
    with reprise.out.progress(f"{job.verb.value}: {job.id}", total) as advance:
        advance(done)
        while not is_it(status):
            time.sleep(_POLL_S)
            status = status_of(reprise, job)
            advance(status.done - done)
            done = status.done
            words = status.words(utc_now())
            doing = (
                f"{words}: {status.heartbeat.doing}"
                if status.heartbeat and words == "running"
                else words
            )
            if doing != said:
                reprise.out.note(doing)
                said = doing
    return status


def _of_stack(job: LetterJob) -> LetterJob:
    if job.selection is None:
        raise CommandError("JOB", f"{job.id} runs where it was begun", "Stop it there, by Ctrl-C")
    return job


def watch_command(job: LetterJob) -> str:
    """Return the command that watches a job."""
    return f"reprise dlq watch {job.id}"


def _cancel(job: LetterJob) -> str:
    return f"reprise dlq cancel {job.id}"
