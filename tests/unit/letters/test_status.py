"""How a job stands is told from what it kept and its last sign of life."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from reprise.instant import format_instant
from reprise_letters.job import LetterFilter, LetterJob, LetterJobState, LetterVerb, Segment
from reprise_letters.job_store import Heartbeat
from reprise_letters.status import JobStatus
from strategies import NOW

JOB = LetterJob(
    id="20261122T100000Z-010203",
    verb=LetterVerb.REDRIVE,
    queue="calls",
    by="arn:aws:iam::1:user/ann",
    started_at=format_instant(NOW),
    selection=LetterFilter(),
)


def at(seconds: float) -> str:
    return format_instant(NOW + timedelta(seconds=seconds))


def segment(seconds: float, state: LetterJobState, done: int, **said: Any) -> Segment:
    return Segment(
        at=at(seconds), by=JOB.by, state=state, counts={"redriven": done}, meant=1000, **said
    )


def heartbeat(until_s: float) -> Heartbeat:
    return Heartbeat(run="r", message_id="m", until=at(until_s), doing="redrive")


@pytest.mark.parametrize(
    ("segments", "last_heartbeat", "words"),
    [
        ([], None, "waiting for its next run"),
        ([], heartbeat(200), "running"),
        ([segment(0, LetterJobState.PLANNED, 0)], heartbeat(50), "planned"),
        ([segment(0, LetterJobState.OPEN, 5)], heartbeat(130), "running"),
        ([segment(0, LetterJobState.OPEN, 5)], heartbeat(50), "waiting for its next run"),
        ([segment(0, LetterJobState.INTERRUPTED, 5)], heartbeat(50), "waiting for its next run"),
        ([segment(0, LetterJobState.OPEN, 5)], heartbeat(-250), "stands still"),
        ([segment(0, LetterJobState.DONE, 1000)], heartbeat(50), "done"),
        ([segment(0, LetterJobState.CANCELLED, 5)], heartbeat(-900), "cancelled"),
    ],
)
def test_a_job_of_the_stack_is_told_in_words(
    segments: list[Segment], last_heartbeat: Heartbeat | None, words: str
) -> None:
    status = JobStatus(job=JOB, segments=segments, heartbeat=last_heartbeat)
    assert status.words(NOW + timedelta(seconds=100)) == words


def test_a_job_of_a_command_has_no_signs_of_life() -> None:
    job = msgspec.structs.replace(JOB, count=7, selection=None)
    status = JobStatus(job=job, segments=[], heartbeat=None)
    assert (status.words(NOW + timedelta(days=1)), status.meant) == ("open", 7)


def test_rate_and_time_left_are_those_of_the_last_pieces() -> None:
    pieces = [segment(10.0 * number, LetterJobState.OPEN, 200 * number) for number in range(4)]
    status = JobStatus(job=JOB, segments=pieces, heartbeat=None)
    assert (status.rate_per_s(), status.left_s()) == (20.0, 20.0)


@pytest.mark.parametrize(
    "segments", [[], [segment(0, LetterJobState.OPEN, 5)], [segment(0, LetterJobState.OPEN, 5)] * 2]
)
def test_no_rate_is_made_up(segments: list[Segment]) -> None:
    status = JobStatus(job=JOB, segments=segments, heartbeat=None)
    assert (status.rate_per_s(), status.left_s()) == (None, None)
