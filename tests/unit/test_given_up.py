"""Which calls that were given up are jobs, by what name, and for what reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from harness import ORDERS
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.target import Target
from reprise.call.target_type import FUNCTION
from reprise.capturing.record import Record, Source
from reprise.given_up import GivenUpJob, job_of
from reprise.ledger import new_row
from reprise.testing import START_AT
from reprise_batch.event import read_event
from reprise_batch.target_type import BATCH
from strategies import make_record

ACCOUNT = "123456789012"
NIGHTLY = f"arn:aws:batch:eu-central-1:{ACCOUNT}:job-definition/nightly"
TYPES = (FUNCTION, BATCH)
SECRET = "PLANTED"


def failed_job(**detail: Any) -> Record:
    event = {
        "source": "aws.batch",
        "account": ACCOUNT,
        "time": "2026-11-21T09:59:00Z",
        "detail": {
            "jobId": "4c7599ae",
            "jobName": "nightly-1",
            "jobQueue": "spot",
            "jobDefinition": f"{NIGHTLY}:7",
            "status": "FAILED",
            "statusReason": "Essential container in task exited",
            "container": {"exitCode": 3, "logStreamName": "nightly/default/4c7599ae"},
            "parameters": {"token": SECRET},
            **detail,
        },
    }
    record = read_event(json.dumps(event), ACCOUNT, (NIGHTLY,))
    assert record is not None
    return record


def told(record: Record, last: Outcome | None = None) -> GivenUpJob | None:
    row = replace(new_row(record, None, START_AT, 30), attempts=3)
    return job_of(record, row, last or record.outcome, TYPES)


def test_failed_batch_job_is_told_by_its_own_name_and_its_reasons() -> None:
    assert told(failed_job()) == GivenUpJob(
        job="nightly-1",
        reason="Essential container in task exited; exit code 3",
        attempts=3,
        id="batch:4c7599ae",
        function=NIGHTLY,
    )


def test_reason_names_what_another_run_was_refused_for_by_its_code_alone() -> None:
    last = Outcome(kind=OutcomeKind.PERMANENT, code="NoMoreMemory", message=SECRET)
    found = told(failed_job(), last)
    assert found is not None
    assert found.reason == (
        "Essential container in task exited; exit code 3; permanent: NoMoreMemory"
    )


def test_what_aws_quotes_is_left_out_since_it_may_be_the_command() -> None:
    said = f'CannotStartContainerError: exec: "{SECRET}": executable file not found'
    found = told(failed_job(container={"reason": said}))
    assert found is not None
    assert found.reason == (
        "Essential container in task exited; CannotStartContainerError: exec: ...: executable file not found"
    )


def test_reason_is_short() -> None:
    found = told(failed_job(statusReason="x" * 2_000))
    assert found is not None
    assert len(found.reason) == 200


def captured(source: str, target: str, key: str | None = None, code: str = "ValueError") -> Record:
    """Return a call that failed, with a text that must not be told."""
    return make_record(
        source=Source(name=source, version="1"),
        target=Target(function=target),
        outcome=Outcome(kind=OutcomeKind.FUNCTION_ERROR, code=code, message=SECRET),
        idempotency_key=msgspec.UNSET if key is None else key,
    )


@pytest.mark.parametrize(
    ("source", "target", "key", "job"),
    [
        pytest.param("schedules", ORDERS, "close-day@2026-11-21T10:00:00Z", "close-day", id="scheduled"),
        pytest.param("schedules", NIGHTLY, "close@day@2026-11-21", "close@day", id="scheduled-batch"),
        pytest.param("schedules", ORDERS, None, "orders", id="without-a-key"),
        pytest.param("invoker", NIGHTLY, "a@b", "nightly", id="submission"),
    ],
)  # fmt: skip
def test_jobs_of_schedules_and_of_batch_are_jobs(
    source: str, target: str, key: str | None, job: str
) -> None:
    found = told(captured(source, target, key))
    assert found is not None
    assert (found.job, found.reason, found.attempts) == (job, "function_error: ValueError", 3)
    # Its id holds the key, which a caller has made.
    assert found.is_keyed is (source == "invoker")


@pytest.mark.parametrize("source", ["invoker", "library", "pipeline"])
def test_call_like_any_other_is_no_job(source: str) -> None:
    assert told(captured(source, ORDERS, "close-day@2026")) is None


@pytest.mark.parametrize("code", [f'{{"{SECRET}": 1}}', f"{SECRET} {SECRET}", ""])
def test_code_that_is_none_is_not_told(code: str) -> None:
    found = told(captured("schedules", ORDERS, code=code))
    assert found is not None
    assert found.reason == "function_error"
