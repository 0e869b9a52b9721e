"""`reprise audit`: who redrove or discarded which letters, when, why, and what became of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from reprise.instant import utc_now
from reprise_cli.app import app_of
from reprise_cli.dlq.desk import job_store
from reprise_cli.dlq.jobs import status_of
from reprise_cli.dlq.view import show_job, show_jobs
from reprise_cli.output import FormatOption, counted
from reprise_letters.job import last_outcomes
from reprise_letters.status import JobStatus


def audit(
    context: typer.Context,
    job_id: Annotated[str | None, typer.Argument(metavar="[JOB]", help="One job, whole.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Jobs to list, the newest.")] = 20,
    output: FormatOption = None,
) -> None:
    """List what was done with dead letters and calls, or show one job with each of them."""
    reprise = app_of(context)
    reprise.out.write_as(output)
    store = job_store(reprise)
    if job_id is not None:
        job, letters = store.job(job_id), store.letters(job_id)
        segments = list(store.segments(job_id))
        outcomes = last_outcomes(one for segment in segments for one in segment.outcomes)
        heartbeat = store.last_heartbeat(job_id) if job.selection is not None else None
        status = JobStatus(job=job, segments=segments, heartbeat=heartbeat)
        show_job(reprise.out, status, letters, outcomes)
        document: dict[str, Any] = msgspec.to_builtins(job)
        document |= _standing(status)
        document["segments"] = [
            {"at": one.at, "by": one.by, "state": one.state.value, "why": one.why}
            for one in segments
        ]
        document["letters"] = [
            msgspec.to_builtins(letter)
            | {"outcome": msgspec.to_builtins(outcomes.get(letter.message_id))}
            for letter in letters
        ]
        reprise.out.rows(document["letters"])
        reprise.out.result(document)
        return
    ids = list(store.ids())
    found = [status_of(reprise, store.job(one)) for one in ids[: -limit - 1 : -1]]
    show_jobs(reprise.out, found, counted(len(ids), "job"))
    documents = [
        msgspec.to_builtins(status.job)
        | _standing(status)
        | {"counts": status.last.counts if status.last else {}}
        for status in found
    ]
    reprise.out.rows(documents)
    reprise.out.result({"count": len(ids), "jobs": documents})


def _standing(status: JobStatus) -> dict[str, Any]:
    return {
        "state": status.state.value,
        "now": status.words(utc_now()),
        "count": status.meant,
        "done": status.done,
        "rate_now_per_s": status.rate_per_s(),
        "left_s": status.left_s(),
    }
