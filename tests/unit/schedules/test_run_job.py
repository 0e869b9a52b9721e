"""A run that is due, from its message to its end, on doubles."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from doubles import InMemoryJobBook, InMemoryJobs, InMemoryQueue
from harness import FAILED, GONE, ORDERS, Pipeline, call
from reprise.call.outcome import OutcomeKind
from reprise.call.target_type import FUNCTION
from reprise.errors import StoreError
from reprise.ledger import State
from reprise.ports import Reply
from reprise.testing import SUCCEEDED
from reprise_batch.look import Likeness, SeenJob, likeness
from reprise_batch.target_type import BATCH
from reprise_schedules.follow import RunResolver
from reprise_schedules.message import RunRequest, write_due
from reprise_schedules.overlap import Overlap
from reprise_schedules.run import RunState
from reprise_schedules.runner import JobRunner

if TYPE_CHECKING:
    from reprise.call.request import CallRequest

FIRST, SECOND, THIRD = (f"2026-11-21T{hour}:00:00Z" for hour in ("10", "11", "12"))
NIGHTLY = "arn:aws:batch:eu-central-1:123456789012:job-definition/nightly"


class Crash(BaseException):
    """The runner's process ends."""


@dataclass
class World:
    pipeline: Pipeline = field(default_factory=Pipeline)
    jobs: InMemoryJobs = field(default_factory=InMemoryJobs)
    letters: InMemoryQueue = field(default_factory=InMemoryQueue)
    failed: InMemoryJobBook = field(default_factory=InMemoryJobBook)
    batch: dict[str, dict[str, Any]] = field(default_factory=dict)
    open: list[SeenJob] = field(default_factory=list)
    """What Batch says is going."""
    fault: StoreError | None = None
    """What it says instead."""
    ended: list[tuple[str, str]] = field(default_factory=list)
    asked: list[Likeness] = field(default_factory=list)

    def going(self, request: CallRequest, /) -> list[SeenJob]:
        self.asked.append(likeness(request))
        if self.fault is not None:
            raise self.fault
        return self.open

    def end(self, job_id: str, reason: str, /) -> None:
        self.ended.append((job_id, reason))

    def status_of(self, job_id: str) -> dict[str, Any] | None:
        return self.batch.get(job_id)

    def due(
        self,
        at: str = FIRST,
        *,
        call: dict[str, Any] | None = None,
        **fields: Any,
    ) -> float | None:
        stage = JobRunner(
            jobs=self.jobs,
            follow=RunResolver(ledger=self.pipeline.ledger, batch=self),
            begun=self,
            calls=replace(
                self.pipeline.caller(),
                capture_outcomes=frozenset(OutcomeKind) - {OutcomeKind.SUCCEEDED},
            ),
            dead_letters=self.letters,
            failed=self.failed,
            targets=(ORDERS, NIGHTLY),
            clock=self.pipeline.clock,
            meter=self.pipeline.meter,
            types=(FUNCTION, BATCH),
        )
        default = {"FunctionName": "orders", "Payload": {"n": 1}}
        body = write_due(RunRequest(job="job", scheduled_at=at, call=call or default, **fields))
        return stage.run(body, owner="me", remaining_ms=lambda: 60_000)

    @property
    def states(self) -> list[str]:
        return [run.state.value for run in self.jobs.read("job").runs]


@pytest.fixture
def world() -> World:
    return World()


def test_run_calls_its_target_once_and_is_remembered(world: World) -> None:
    assert world.due() is None
    assert world.due() is None
    assert world.states == ["succeeded"]
    assert [payload for _, payload, _ in world.pipeline.functions.invoked] == [b'{"n":1}']
    assert world.pipeline.meter.counts["DuplicatesSuppressed"] == 1


def test_throttled_run_is_captured_blocks_the_next_and_ends_with_its_replay(world: World) -> None:
    pipeline = world.pipeline
    pipeline.functions.script = [FAILED]
    assert world.due() is None
    assert world.states == ["captured"]
    assert pipeline.take_in(pipeline.store()) == []
    pipeline.clock.advance(3600)
    assert world.due(SECOND) is None
    assert world.states == ["captured", "skipped"]
    pipeline.replay(*pipeline.take_sent())
    assert world.due(THIRD) is None
    assert world.states == ["succeeded", "skipped", "succeeded"]


def test_permanent_failure_is_captured_too_since_nobody_waits_for_the_answer(world: World) -> None:
    world.pipeline.functions.script = [GONE]
    world.due()
    assert world.states == ["captured"]


def test_captured_run_has_the_runs_own_name_and_deadline(world: World) -> None:
    world.pipeline.functions.script = [FAILED]
    world.due(deadline_s=600)
    record = json.loads(world.pipeline.lines[0])
    assert record["id"].startswith("orders:job@2026-11-21T10:00:00.000000Z~")
    assert record["idempotency_key"] == "job@2026-11-21T10:00:00.000000Z"
    assert record["not_after"] == "2026-11-21T10:10:00.000000Z"


def test_crashed_run_is_skipped_over_while_its_lease_runs_then_captured_as_unknown(
    world: World,
) -> None:
    def crash(*_: object) -> Reply:
        raise Crash

    world.pipeline.functions.answer = crash
    with pytest.raises(Crash):
        world.due()
    world.pipeline.functions.answer = None
    assert world.states == ["running"]
    assert world.due(SECOND) is None
    world.pipeline.clock.advance(62)
    assert world.due(THIRD) is None
    assert world.states == ["lost", "skipped", "succeeded"]
    assert world.due(FIRST) is None
    assert world.states == ["captured", "skipped", "succeeded"]
    outcome = json.loads(world.pipeline.lines[0])["outcome"]
    assert (outcome["kind"], outcome["code"]) == ("unknown", "LeaseExpired")


def test_waiting_run_starts_when_the_one_before_has_ended(world: World) -> None:
    def overtaken(*_: object) -> Reply:
        world.pipeline.functions.answer = None
        assert world.due(SECOND, overlap=Overlap.QUEUE) == 2.0
        assert world.due(THIRD, overlap=Overlap.QUEUE) is None
        return SUCCEEDED

    world.pipeline.functions.answer = overtaken
    assert world.due(overlap=Overlap.QUEUE) is None
    assert world.states == ["succeeded", "queued", "skipped"]
    assert world.due(SECOND, overlap=Overlap.QUEUE) is None
    assert world.states == ["succeeded", "succeeded", "skipped"]


def test_refused_call_that_cannot_be_captured_stays_in_the_queue(world: World) -> None:
    world.pipeline.functions.script = [
        Reply(outcome=FAILED.outcome.__class__(kind=OutcomeKind.THROTTLED, code="x"))
    ]
    world.pipeline.invoker_keys.faults.fail("keys")
    assert world.due() == 20.0
    assert world.states == ["queued"]
    assert world.due() is None
    assert world.states == ["succeeded"]


def test_failed_call_that_cannot_be_captured_is_captured_when_its_lease_ends(world: World) -> None:
    world.pipeline.functions.script = [FAILED]
    world.pipeline.invoker_keys.faults.fail("keys")
    assert world.due() == 61.0
    world.pipeline.clock.advance(62)
    assert world.due() is None
    assert world.states == ["captured"]


def test_run_after_its_deadline_is_not_made(world: World) -> None:
    world.pipeline.clock.advance(600)
    assert world.due(deadline_s=600) is None
    assert world.states == ["expired"]
    assert world.pipeline.functions.invoked == []


def test_store_that_is_away_costs_a_delay(world: World) -> None:
    world.jobs.faults.fail("read")
    assert world.due() == 20.0
    assert world.due() is None
    assert world.states == ["succeeded"]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"FunctionName": "strangers"}, "'strangers' is not an allowed target"),
        ({"Function": "orders"}, "names no target. Send one of FunctionName, jobDefinition"),
        ({"jobDefinition": "weekly", "jobQueue": "q"}, "'weekly' is not an allowed target"),
    ],
)
def test_call_that_can_never_be_made_is_kept_with_its_reason(
    world: World, call: dict[str, Any], why: str
) -> None:
    assert world.due(call=call) is None
    assert world.states == ["failed"]
    (letter,) = world.letters.sent
    assert why in (letter.attributes or {})["reason"]
    (job,) = world.failed.jobs
    assert (job.job, job.id) == ("job", None)
    assert job.reason.startswith("its run could not be made: ")


@pytest.mark.parametrize(
    "body", ["", "[]", '{"job": "a"}', '{"job":"a b","call":{},"scheduled_at":"x"}']
)
def test_message_that_is_none_is_kept_with_its_reason(world: World, body: str) -> None:
    stage = JobRunner(
        jobs=world.jobs, follow=lambda *_: None, begun=world, calls=world.pipeline.caller(),
        dead_letters=world.letters, failed=world.failed, targets=(), clock=world.pipeline.clock,
        meter=world.pipeline.meter,
    )  # fmt: skip
    world.letters.faults.fail("send")
    assert stage.run(body, owner="me", remaining_ms=lambda: 1) == 20.0
    assert stage.run(body, owner="me", remaining_ms=lambda: 1) is None
    assert [letter.body for letter in world.letters.sent] == [body]


CALL = {"jobDefinition": "nightly:3", "jobQueue": "spot", "parameters": {"day": "1"}}


def submit(world: World, at: str = FIRST, job_id: str = "j1", **fields: Any) -> float | None:
    answer = json.dumps({"jobId": job_id}).encode()
    world.pipeline.functions.script = [Reply(outcome=SUCCEEDED.outcome, payload=answer)]
    return world.due(at, call=CALL, **fields)


def test_batch_job_is_going_until_batch_says_that_it_ended(world: World) -> None:
    submit(world)
    ((target, payload, _),) = world.pipeline.functions.invoked
    assert BATCH.arn.fullmatch(target.function)
    assert json.loads(payload)["submit"] == {
        "jobName": "nightly",
        "jobQueue": "spot",
        "jobDefinition": "nightly:3",
        "parameters": {"day": "1"},
        "tags": {"reprise:job": "job"},
    }
    world.batch["j1"] = {"status": "RUNNING"}
    world.pipeline.clock.advance(3600)
    assert world.due(SECOND) is None
    assert world.states == ["submitted", "skipped"]
    world.batch["j1"] = {"status": "SUCCEEDED"}
    world.due(THIRD)
    assert world.states == ["succeeded", "skipped", "succeeded"]


def test_failed_batch_job_is_followed_to_the_job_that_took_its_place(world: World) -> None:
    submit(world)
    pipeline = world.pipeline
    stopped_ms = int(pipeline.clock.now.timestamp() * 1000)
    world.batch["j1"] = {"status": "FAILED", "stoppedAt": stopped_ms}
    world.due(SECOND)
    assert world.states == ["submitted", "skipped"]
    (message,) = pipeline.captured_messages(pipeline_call())
    row = replace(
        pipeline.ledger.rows[json.loads(message.body)["record"]["id"]],
        id="batch:j1", state=State.SUCCEEDED, result='{"jobId":"j2"}',
    )  # fmt: skip
    pipeline.ledger.rows["batch:j1"] = row
    world.batch["j2"] = {"status": "RUNNING"}
    world.due("2026-11-21T11:30:00Z")
    assert [run.call_id for run in world.jobs.read("job").runs][:1] == ["j2"]
    world.batch["j2"] = {"status": "FAILED", "stoppedAt": stopped_ms}
    pipeline.ledger.rows["batch:j2"] = replace(row, id="batch:j2", state=State.DEAD_LETTERED)
    world.due(THIRD)
    assert world.states == ["failed", "skipped", "skipped", "succeeded"]


def test_failed_batch_job_that_nobody_hears_of_is_given_up(world: World) -> None:
    submit(world)
    world.batch["j1"] = {"status": "FAILED", "stoppedAt": 0}
    world.due(SECOND)
    assert world.states == ["failed", "succeeded"]


def test_open_run_of_which_nothing_more_is_heard_is_given_up_after_a_day(world: World) -> None:
    world.pipeline.functions.script = [FAILED]
    world.due()
    world.pipeline.clock.advance(timedelta(days=2).total_seconds())
    world.due("2026-11-23T10:00:00Z")
    assert world.states == [RunState.FAILED.value, RunState.SUCCEEDED.value]


def seen(job_id: str, scheduled_job: str | None = None) -> SeenJob:
    return SeenJob(
        job_id=job_id, name="x", status="RUNNING", created_at_ms=1, scheduled_job=scheduled_job
    )


def test_batch_job_that_somebody_submitted_by_hand_is_an_overlap(world: World) -> None:
    world.open = [seen("j9")]
    assert submit(world) is None
    (found,) = world.jobs.read("job").runs
    assert found.state is RunState.SKIPPED
    assert found.message == "batch job j9, which no run of this job submitted, is still going"
    assert world.pipeline.functions.invoked == []
    assert world.asked == [Likeness(queue="spot", definition=NIGHTLY)]


def test_batch_is_not_asked_where_overlaps_are_allowed_or_a_function_is_called(
    world: World,
) -> None:
    world.open = [seen("j9")]
    submit(world, overlap=Overlap.ALLOW)
    world.batch["j1"] = {"status": "RUNNING"}
    world.due(SECOND)
    assert world.states == ["submitted", "skipped"]
    assert world.asked == []


def test_job_of_another_schedule_is_no_overlap_though_it_has_the_same_definition(
    world: World,
) -> None:
    world.open = [seen("j9", scheduled_job="another")]
    submit(world)
    assert world.states == ["submitted"]


def test_job_that_a_captured_submission_became_is_an_overlap(world: World) -> None:
    """The replay that submitted it has succeeded, and the run with it; the job goes on."""
    world.open = [seen("j1", scheduled_job="job")]
    submit(world)
    assert world.states == ["skipped"]


def test_run_waits_while_batch_says_nothing_and_starts_after_ten_minutes(world: World) -> None:
    world.fault = StoreError("batch", "ListJobs", "TooManyRequestsException", "")
    assert submit(world) == 20.0
    assert world.states == ["queued"]
    world.pipeline.clock.advance(599)
    assert submit(world) == 20.0
    world.pipeline.clock.advance(1)
    assert submit(world) is None
    (found,) = world.jobs.read("job").runs
    assert found.state is RunState.SUBMITTED
    assert "TooManyRequestsException" in (found.message or "")
    assert len(world.pipeline.functions.invoked) == 1


def test_run_starts_when_batch_answers_again(world: World) -> None:
    world.fault = StoreError("batch", "ListJobs", "TooManyRequestsException", "")
    submit(world)
    world.fault = None
    assert submit(world) is None
    assert world.jobs.read("job").runs[0].message is None
    assert world.states == ["submitted"]


def test_replacing_run_starts_when_the_job_that_it_ended_has_ended(world: World) -> None:
    replacing = {"overlap": Overlap.REPLACE}
    submit(world, **replacing)
    world.batch["j1"] = {"status": "RUNNING"}
    world.open = [seen("j1", scheduled_job="job")]
    assert submit(world, SECOND, "j2", **replacing) == 2.0
    assert world.ended == [("j1", "replaced by the run of 2026-11-21T11:00:00.000000Z of job")]
    assert world.states == ["submitted", "queued"]
    world.batch["j1"] = {"status": "FAILED", "stoppedAt": 0, "isTerminated": True}
    world.open = []
    assert submit(world, SECOND, "j2", **replacing) is None
    assert world.states == ["replaced", "submitted"]
    first, second = world.jobs.read("job").runs
    assert (second.call_id, first.replaced_by) == ("j2", second.scheduled_at)


def test_replaced_job_that_succeeded_after_all_is_a_success(world: World) -> None:
    submit(world, overlap=Overlap.REPLACE)
    world.batch["j1"] = {"status": "RUNNING"}
    submit(world, SECOND, "j2", overlap=Overlap.REPLACE)
    world.batch["j1"] = {"status": "SUCCEEDED"}
    submit(world, SECOND, "j2", overlap=Overlap.REPLACE)
    assert world.states == ["succeeded", "submitted"]


def test_call_of_a_function_that_is_to_be_replaced_is_refused_with_the_reason(
    world: World,
) -> None:
    assert world.due(overlap=Overlap.REPLACE) is None
    (letter,) = world.letters.sent
    assert "nothing ends a Lambda call that runs" in (letter.attributes or {})["reason"]


def pipeline_call() -> Any:
    return call()
