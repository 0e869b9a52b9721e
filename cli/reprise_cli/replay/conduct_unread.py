"""Take in again what could not be read or delivered: look, ask, do it, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.aws.s3 import S3Listing, S3Objects
from reprise.errors import StoreError
from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.desk import job_store
from reprise_cli.exits import CommandError
from reprise_cli.fitted import Column, Fitted
from reprise_cli.output import counted
from reprise_cli.replay.unread import Unread, UnreadSource
from reprise_letters.counts import counts_of
from reprise_letters.job import (
    LetterJobState,
    LetterOutcome,
    Segment,
    left_of,
)
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App
    from reprise_cli.replay.unread import UnreadSurvey
    from reprise_letters.job import LetterJob, Planned


def source_of(reprise: App, place: Unread) -> UnreadSource:
    """Return what lies in one of the places."""
    bucket = reprise.stack.bucket
    return UnreadSource(
        place=place,
        bucket=bucket,
        listing=S3Listing(reprise.aws.s3, bucket),
        objects=S3Objects(reprise.aws.s3, bucket),
        owner=reprise.aws.account,
        log_group=reprise.stack.capture_log_group,
    )


def show_found(reprise: App, found: UnreadSurvey) -> None:
    """Show which lines lie there, and why."""
    rows = sorted(found.lines.items(), key=lambda item: (-item[1], item[0]))
    columns = (
        Column(name="lines", cells=[f"{count:,}" for _, count in rows], rank=0, is_number=True),
        Column(name="target", cells=[of[0] for of, _ in rows], rank=1, least=12),
        Column(name="why", cells=[of[1] for of, _ in rows], rank=0),
    )
    title = f"{counted(found.lines.total(), 'line')} in {counted(len(found.planned), 'object')}"
    reprise.out.show(Fitted(columns=columns, title=title, wanted=2))
    if found.others:
        reprise.out.note(f"{found.others} entries hold no captured call, and stay where they are")


def take_in(
    reprise: App, job: LetterJob, planned: Sequence[Planned], outcomes: Sequence[LetterOutcome]
) -> None:
    """Take in what is left of a job's objects.

    Raises:
        CommandError: If an object could not be taken in; the others were.
    """
    source = source_of(reprise, Unread[job.queue.upper()])
    store, target = job_store(reprise), job.filters.get("target")
    left = left_of(planned, outcomes)
    done: list[LetterOutcome] = []
    lines, failed = 0, ""
    with reprise.out.progress(f"taking in: {job.id}", len(left)) as advance:
        for one in left:
            why, action = "", Action.TAKEN_IN
            try:
                lines += source.take_in(one.id, utc_now(), target)
            except StoreError as error:
                why, action, failed = str(error), Action.FAILED, one.id
            at = format_instant(utc_now())
            done.append(LetterOutcome(id=one.id, message_id=one.id, action=action, why=why, at=at))
            advance(1)
    counts = counts_of([*outcomes, *done])
    store.add(
        job.id,
        Segment(
            at=format_instant(utc_now()),
            by=reprise.operator,
            state=LetterJobState.DONE,
            why=failed,
            counts=counts,
            outcomes=tuple(done),
        ),
    )
    reprise.out.show(
        f"{counted(lines, 'line')} of {counted(len(left), 'object')} taken in: what is believed, and "
        "not known yet, is replayed; the rest is in quarantine again"
    )
    reprise.out.result(
        {"job": job.id, "dry_run": False, "selected": len(planned), "lines": lines, **counts}
    )
    if failed:
        raise CommandError(
            "OBJECT", f"{failed} was not taken in", f"Go on: reprise replay --resume {job.id}"
        )
