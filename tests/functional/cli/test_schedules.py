"""`reprise schedule`: what was missed is sent, and runs of all jobs are one list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from functional.cli.test_commands import Cloud, MotoApp, cloud, document_of
from reprise.instant import format_instant, utc_now
from reprise_cli.aws import Aws
from reprise_cli.main import app
from reprise_cli.stack import Schedules
from reprise_schedules.catch_up import CatchUp
from reprise_schedules.message import RunRequest, read_due, write_due
from reprise_schedules.run import RunEvent
from reprise_schedules.table import JobTable
from reprise_schedules_cli.schedule.group import MARKER
from unit.cli.test_letter import dead_row
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from typer.testing import Result

__all__ = ["cloud"]
NOW = utc_now()
NIGHTLY = "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly"
ORDERS = {"FunctionName": "orders", "Payload": {"n": 1}}
SUBMIT = {"jobDefinition": "nightly", "jobQueue": "spot"}


class FakeScheduler:
    """A group of schedules in memory."""

    class exceptions:  # noqa: N801 - as boto3 spells it
        class ResourceNotFoundException(Exception):  # noqa: N818 - as above
            pass

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}

    def add(self, name: str, call: dict[str, Any], **fields: Any) -> None:
        due = RunRequest(job=name, call=call, catch_up=fields.pop("catch_up", CatchUp.NONE))
        self.there[name] = {
            "Name": name,
            "Description": MARKER,
            "State": "ENABLED",
            "ScheduleExpression": f"cron(0 {','.join(str(at.hour) for at in hours(3))} * * ? *)",
            "LastModificationDate": NOW - timedelta(hours=3),
            "Target": {"Input": write_due(due)},
            **fields,
        }

    def get_schedule(self, **request: str) -> dict[str, Any]:
        if request["Name"] not in self.there:
            raise self.exceptions.ResourceNotFoundException
        return self.there[request["Name"]]

    def update_schedule(self, **request: Any) -> None:
        self.there[request["Name"]] |= request

    def get_paginator(self, name: str) -> Any:
        assert name == "list_schedules"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"Schedules": [{"Name": name} for name in self.there]}]


class FakeBatch:
    """Batch that knows some jobs of the definition `nightly`."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []

    def add(self, job_id: str, status: str, at: datetime, **fields: Any) -> None:
        created_ms = int(at.timestamp() * 1000)
        self.jobs.append(
            {
                "jobId": job_id,
                "jobName": "try",
                "jobDefinition": f"{NIGHTLY}:1",
                "status": status,
                "createdAt": created_ms,
                "stoppedAt": created_ms,
                **fields,
            }
        )

    def list_jobs(self, **request: Any) -> dict[str, Any]:
        assert request["filters"] == [{"name": "JOB_DEFINITION", "values": ["nightly"]}]
        return {"jobSummaryList": self.jobs}

    def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
        return {"jobs": [job for job in self.jobs if job["jobId"] in jobs]}


class World:
    """The command on a stack with the add-on, on moto and on these two."""

    def __init__(self, cloud: Cloud) -> None:
        self.scheduler, self.batch = FakeScheduler(), FakeBatch()
        self.sqs = cloud.sqs
        self.ledger = cloud.ledger
        self.url = cloud.sqs.create_queue(QueueName="jobs")["QueueUrl"]
        self.table = JobTable(cloud.dynamodb, OUTPUTS["LedgerTable"], utc_now)

    def reprise(self, *arguments: str) -> Result:
        world = self

        class OnFakes(MotoApp):
            @cached_property
            def aws(self) -> Aws:
                aws: Any = Aws(self.place)
                aws.scheduler, aws.batch = world.scheduler, world.batch
                return aws  # type: ignore[no-any-return]

            @cached_property
            def schedules_if_any(self) -> Schedules | None:
                return Schedules(
                    name="reprise-schedules",
                    target_arns=NIGHTLY,
                    runner="runner",
                    jobs_queue_arn="arn:q",
                    jobs_queue_url=world.url,
                    jobs_dead_letter_queue_arn="arn:d",
                    jobs_group="reprise-schedules-jobs",
                    jobs_scheduler_role_arn="arn:r",
                )

        return CliRunner().invoke(app, list(arguments), obj=OnFakes)

    def sent(self) -> list[str]:
        """Return the scheduled times of runs that were sent, as the runner reads them."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        return [read_due(message["Body"]).scheduled_at for message in found.get("Messages", [])]

    def ran(self, job: str, at: datetime, event: RunEvent | None = None, **fields: Any) -> None:
        """Write a run down as the runner does."""
        state, name = self.table.read(job), format_instant(at)
        state = state.change(name, RunEvent.START, at, until_ms=0)
        if event is not None:
            state = state.change(name, event, at, **fields)
        assert self.table.write(job, state) is None


@pytest.fixture
def world(cloud: Cloud) -> World:
    return World(cloud)


def hours(count: int) -> list[datetime]:
    """Return the last full hours, the earliest first."""
    last = NOW.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return [last - timedelta(hours=back) for back in range(count - 1, -1, -1)]


def test_resuming_sends_what_the_pause_missed_as_the_job_says(world: World) -> None:
    world.scheduler.add("all", ORDERS, catch_up=CatchUp.ALL, State="DISABLED")
    world.scheduler.add("none", ORDERS, State="DISABLED")
    done = world.reprise("schedule", "resume", "all", "--json")
    assert done.exit_code == 0, done.output
    assert document_of(done)["caught_up"] == [format_instant(at) for at in hours(3)]
    assert sorted(world.sent()) == [format_instant(at) for at in hours(3)]
    assert world.scheduler.there["all"]["State"] == "ENABLED"
    assert document_of(world.reprise("schedule", "resume", "none", "--json"))["caught_up"] == []
    # It is on already: nothing was missed by a pause.
    assert document_of(world.reprise("schedule", "resume", "all", "--json"))["caught_up"] == []
    assert world.sent() == []


def test_resume_that_is_cut_short_is_made_good_by_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a schedule is on, nobody knows any more since when it had been paused."""

    def refuse(**_: Any) -> None:
        answer: Any = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
        raise ClientError(answer, "UpdateSchedule")

    world.scheduler.add("all", ORDERS, catch_up=CatchUp.ALL, State="DISABLED")
    with monkeypatch.context() as cut:
        cut.setattr(world.scheduler, "update_schedule", refuse)
        assert world.reprise("schedule", "resume", "all").exit_code != 0
    assert world.reprise("schedule", "resume", "all").exit_code == 0
    # The same names: the runner suppresses the second of each.
    assert set(world.sent()) == {format_instant(at) for at in hours(3)}


def test_catch_up_sends_what_no_run_is_known_of_and_a_rehearsal_sends_nothing(world: World) -> None:
    first, second, _ = hours(3)
    world.scheduler.add("all", ORDERS, catch_up=CatchUp.ALL)
    world.scheduler.add("paused", ORDERS, catch_up=CatchUp.ALL, State="DISABLED")
    world.scheduler.add("none", ORDERS)
    world.ran("all", second, RunEvent.SUCCEED)
    rehearsed = world.reprise("schedule", "catch-up", "--dry-run")
    assert f"all would be due as of {first:%a %Y-%m-%d %H:%M} UTC" in rehearsed.output
    assert world.sent() == []
    (job,) = document_of(world.reprise("schedule", "catch-up", "--json"))["jobs"]
    assert job["name"] == "all"
    assert format_instant(first) in job["instants"]
    assert format_instant(second) not in job["instants"]
    assert sorted(world.sent()) == job["instants"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "job 'nightly' catches nothing up. Set its catch_up to last or all"),
        ({"State": "DISABLED"}, "job 'nightly' is paused. `reprise schedule resume nightly`"),
    ],
)
def test_job_that_has_nothing_to_make_up_for_says_why(
    world: World, fields: dict[str, Any], told: str
) -> None:
    world.scheduler.add("nightly", ORDERS, **fields)
    done = world.reprise("schedule", "catch-up", "nightly")
    assert done.exit_code == 1
    assert told in done.output


def test_schedule_of_somebody_else_in_the_group_is_left_out(world: World) -> None:
    world.scheduler.add("foreign", ORDERS, Target={"Input": "{}"})
    done = world.reprise("schedule", "catch-up")
    assert done.exit_code == 0
    assert "foreign is left out: Input: is no message of a job" in done.output
    assert "nothing was missed" in done.output


def filled(world: World) -> None:
    first, second, third = hours(3)
    world.scheduler.add("orders", ORDERS)
    world.scheduler.add("nightly", SUBMIT)
    world.ran("orders", first, RunEvent.SUCCEED)
    world.ran("orders", third)
    world.ran("nightly", second, RunEvent.SUBMIT, call_id="j1")
    row = dead_row(id="batch:j1", reason="exhausted", message="out of memory " * 9)
    world.ledger.record(row)
    world.batch.add("j1", "FAILED", second, tags={"reprise:job": "nightly"})
    world.batch.add("j2", "RUNNING", third + timedelta(seconds=1), statusReason="by hand it was")


def test_runs_of_all_jobs_are_listed_with_their_reasons_and_those_of_a_hand(world: World) -> None:
    filled(world)
    done = world.reprise("schedule", "runs", "--json")
    assert done.exit_code == 0, done.output
    document = document_of(done)
    listed = [(run["job"], run["state"], run["by"]) for run in document["runs"]]
    assert listed == [
        ("try", "submitted", "hand"),
        ("orders", "running", "schedule"),
        ("nightly", "failed", "schedule"),
        ("orders", "succeeded", "schedule"),
    ]
    assert document["runs"][2]["message"].startswith("exhausted: out of memory")
    assert document["left"] == 0


def test_runs_fit_eighty_columns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    filled(world)
    shown = world.reprise("schedule", "runs").output.splitlines()
    assert max(map(len, shown)) <= 80
    text = "\n".join(shown)
    assert "4 runs of 2 jobs" in text
    for word in ("due", "job", "state", "why", "exhausted: out"):
        assert word in text


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        (["--job", "orders"], ["orders", "orders"]),
        (["--state", "failed", "--state", "succeeded"], ["nightly", "orders"]),
        (["--newer-than", "30d", "--limit", "1"], ["try"]),
        (["--older-than", "30d"], []),
    ],
)
def test_runs_are_chosen(world: World, options: list[str], jobs: list[str]) -> None:
    filled(world)
    document = document_of(world.reprise("schedule", "runs", "--json", *options))
    assert [run["job"] for run in document["runs"]] == jobs


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--newer-than", "soon"], "--newer-than: 'soon' is no duration"),
        (["--state", "lost in space"], "'lost in space' is not one of"),
        (["--job", "none"], "NAME: there is no job 'none'"),
    ],
)
def test_bad_option_of_runs_is_named(world: World, options: list[str], told: str) -> None:
    filled(world)
    done = world.reprise("schedule", "runs", *options)
    assert done.exit_code != 0
    assert told in " ".join(done.output.replace("\u2502", " ").split())


def test_batch_that_may_not_be_asked_leaves_its_jobs_out_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(answer, "ListJobs")

    filled(world)
    monkeypatch.setattr(world.batch, "list_jobs", refuse)
    done = world.reprise("schedule", "runs", "--wide")
    assert done.exit_code == 0
    assert "jobs of queue spot are left out: batch.ListJobs failed: AccessDenied" in done.output
    assert "3 runs of 2 jobs" in done.output
