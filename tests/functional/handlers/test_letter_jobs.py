"""The function of jobs at the dead-letter queues, as Lambda starts it, on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functional.handlers.test_handlers import DONE
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.dead_letter import dead_letter
from reprise.instant import format_instant, utc_now
from reprise.ledger import State
from reprise_letters.job import LetterFilter, LetterJob, LetterJobState, LetterVerb, job_id
from reprise_letters.job_store import Heartbeat, LetterJobStore
from reprise_letters.order import Order, write_order
from strategies import NOW, make_record, signed
from unit.cli.test_letter import dead_row

if TYPE_CHECKING:
    from functional.handlers.conftest import Stack


@pytest.fixture
def store(stack: Stack) -> LetterJobStore:
    s3, bucket = stack.clients.s3(), stack.env["REPRISE_BUCKET"]
    return LetterJobStore(
        objects=S3Objects(s3, bucket), listing=S3Listing(s3, bucket), bucket=bucket
    )


def begin(stack: Stack, store: LetterJobStore) -> LetterJob:
    """Give a call up, and order that it be redriven."""
    row = dead_row(id="call-1", letter_sent=True)
    stack.ledger.record(row)
    stack.send("DEAD_LETTER", dead_letter(signed(make_record(id="call-1")), row, now=NOW))
    job = LetterJob(
        id=job_id(utc_now(), b"\1\2\3"),
        verb=LetterVerb.REDRIVE,
        queue="calls",
        by="arn:aws:iam::1:user/ann",
        started_at=format_instant(utc_now()),
        selection=LetterFilter(),
    )
    store.announce(job)
    stack.send("LETTER_JOBS", write_order(Order(job=job.id, by=job.by, is_agreed=True)))
    return job


def test_an_order_is_carried_out(stack: Stack, store: LetterJobStore) -> None:
    job = begin(stack, store)
    assert stack.handle("replayer.letter_jobs", stack.receive("LETTER_JOBS")) == DONE
    assert stack.row("call-1").state is State.CAPTURED
    assert len(stack.receive("REPLAY")["Records"]) == 1
    assert stack.receive("DEAD_LETTER")["Records"] == []
    last = store.last_segment(job.id)
    assert last is not None
    assert (last.state, last.counts) == (LetterJobState.DONE, {"redriven": 1})


def test_a_second_delivery_of_a_run_comes_again_later(stack: Stack, store: LetterJobStore) -> None:
    job = begin(stack, store)
    event = stack.receive("LETTER_JOBS")
    (message,) = event["Records"]
    until = "2999-01-01T00:00:00Z"
    beat = Heartbeat(run="other", message_id=message["messageId"], until=until, doing="redrive")
    store.heartbeat(job.id, beat)
    answer = stack.handle("replayer.letter_jobs", event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": message["messageId"]}]}
    assert stack.row("call-1").state is State.DEAD_LETTERED
