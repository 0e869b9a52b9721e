from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reprise_batch.look import SeenJob
from reprise_schedules.run import JobState, RunEvent, RunState
from reprise_schedules_cli.schedule.all_runs import By, RunSelection, list_runs

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
NIGHTLY = (
    JobState()
    .change("2026-11-21T03:00:00.000000Z", RunEvent.START, NOON)
    .change("2026-11-21T03:00:00.000000Z", RunEvent.SUBMIT, NOON, call_id="j1")
    .change("2026-11-21T11:00:00.000000Z", RunEvent.SKIP, NOON, message="still going")
)
HOURLY = JobState().change("2026-11-21T10:00:00.000000Z", RunEvent.EXPIRE, NOON)
STATES = {"nightly": NIGHTLY, "hourly": HOURLY}


def batch(job_id: str, **fields: object) -> SeenJob:
    values = {"name": "try", "status": "FAILED", "created_at_ms": NOON_MS, "reason": "OutOfMemory"}
    return SeenJob(job_id=job_id, **{**values, **fields})  # type: ignore[arg-type]


def test_runs_of_all_jobs_are_one_list_the_newest_first() -> None:
    found = list_runs(STATES, [], RunSelection())
    assert [(run.job, run.state) for run in found] == [
        ("nightly", RunState.SKIPPED),
        ("hourly", RunState.EXPIRED),
        ("nightly", RunState.SUBMITTED),
    ]


def test_batch_job_that_a_run_became_is_listed_once_and_what_others_submitted_by_their_hands() -> (
    None
):
    seen = [
        batch("j1", scheduled_job="nightly"),
        batch("j2"),
        batch("j2"),
        batch("j3", scheduled_job="nightly", is_again=True, status="RUNNABLE"),
        batch("j4", scheduled_job="weekly"),
    ]
    found = list_runs(STATES, seen, RunSelection(since=NOON - timedelta(minutes=1)))
    assert {(run.call_id, run.job, run.state, run.by) for run in found} == {
        ("j2", "try", RunState.FAILED, By.HAND),
        ("j3", "nightly", RunState.SUBMITTED, By.REPLAY),
    }
    assert {run.message for run in found if run.by is By.HAND} == {"OutOfMemory"}


def test_runs_are_chosen_by_state_and_time() -> None:
    chosen = RunSelection(states=frozenset({RunState.SKIPPED, RunState.EXPIRED}))
    assert len(list_runs(STATES, [], chosen)) == 2
    until = RunSelection(until=NOON - timedelta(hours=2))
    assert [run.job for run in list_runs(STATES, [], until)] == ["hourly", "nightly"]
