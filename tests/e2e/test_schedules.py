"""Schedules on a clock that a test can set: when jobs run, and that no two runs of one overlap.

The clock of the schedules stands in 2050, so that no deadline has passed; all else keeps real time.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from e2e.conftest import STACK_NAME
from e2e.widgets import blank_widgets
from e2e.world import BATCH_JOB, WARM_GUESTS, new_run, poll
from reprise.instant import format_instant, utc_now
from reprise_cli.deploy import REPOSITORY
from reprise_schedules.message import RunRequest, write_due
from reprise_schedules.overlap import Overlap
from reprise_schedules.table import JobTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.world import World
    from reprise_cli.stack import Schedules


@pytest.fixture(autouse=True)
def _real_clock_and_no_jobs_afterwards(
    world: World, schedules: Schedules, tmp_path: Path
) -> Iterator[None]:
    assert schedules.name == f"{world.stack.name}-schedules", "as the command finds it"
    yield
    world.admin("DELETE", "schedules")
    apply(world, tmp_path, [])


def apply(world: World, folder: Path, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the stack's jobs equal to these, as a user does."""
    file = folder / "jobs.yaml"
    # JSON is YAML.
    file.write_text(json.dumps({"version": 1, "jobs": jobs}))
    done = world.reprise("schedule", "apply", "--file", str(file), "--json")
    assert done.code == 0, done.stderr
    document: dict[str, Any] = done.document
    return document


def job(name: str, guest: str, run: str, **fields: Any) -> dict[str, Any]:
    payload = {"run": run, "call": 1, **fields.pop("payload", {})}
    return {
        "name": name,
        "schedule": "cron(0 0 1 1 ? 2199)",
        "call": {"FunctionName": guest, "Payload": payload},
        **fields,
    }


def history(world: World, name: str) -> list[dict[str, Any]]:
    """Return the runs of a job, the oldest first."""
    done = world.look("schedule", "history", name, "--json")
    runs: list[dict[str, Any]] = done.document["runs"]
    return sorted(runs, key=lambda run: str(run["scheduled_at"]))


def states(world: World, name: str) -> list[str]:
    return [run["state"] for run in history(world, name)]


def await_states(world: World, name: str, expected: list[str]) -> None:
    """Wait until the runs of a job stand as expected."""

    def are_there() -> bool:
        return states(world, name) == expected

    try:
        poll(are_there, limit_s=90)
    except TimeoutError as error:
        msg = f"not {expected}: {json.dumps(history(world, name), indent=1)}"
        raise AssertionError(msg) from error


@contextmanager
def passing(world: World, at: str, until: str, *, seconds: float) -> Iterator[None]:
    """Let the schedules' time from one instant to another pass in some seconds."""
    span_s = (datetime.fromisoformat(until) - datetime.fromisoformat(at)).total_seconds()
    course = {"at": at, "rate": span_s / seconds, "until": until}
    world.admin("POST", "schedules", {**course, "group": f"{world.stack.name}-schedules-jobs"})
    yield
    poll(lambda: world.admin("GET", "schedules")["is_over"])


def test_jobs_run_at_the_instants_of_their_zones_across_a_change_of_clocks(
    world: World, guest: str, tmp_path: Path
) -> None:
    """In Berlin 02:30 does not exist on 27 March 2050; Seoul is nine hours ahead all year."""
    run, allow = new_run(), {"overlap": "allow"}
    seoul = job(
        "seoul", guest, run, schedule="cron(0 6,21 * * ? *)", timezone="Asia/Seoul", **allow
    )
    berlin = job(
        "berlin", guest, run, schedule="cron(30 2 * * ? *)", timezone="Europe/Berlin", **allow
    )
    first = apply(world, tmp_path, [seoul, berlin])
    assert [change["verb"] for change in first["changes"]] == ["create", "create"]
    assert apply(world, tmp_path, [seoul, berlin])["changes"] == []
    expected = {
        "seoul": [
            "2050-03-26T12:00:00.000000Z",
            "2050-03-26T21:00:00.000000Z",
            "2050-03-27T12:00:00.000000Z",
            "2050-03-27T21:00:00.000000Z",
        ],
        "berlin": ["2050-03-26T01:30:00.000000Z", "2050-03-28T00:30:00.000000Z"],
    }
    with passing(world, "2050-03-26T00:00:00Z", "2050-03-28T01:00:00Z", seconds=1.5):
        pass
    poll(lambda: len(world.receipts(run)) == 6, limit_s=150)
    for name, instants in expected.items():
        await_states(world, name, ["succeeded"] * len(instants))
        assert [found["scheduled_at"] for found in history(world, name)] == instants
    assert len(world.receipts(run)) == 6
    assert "Scheduled runs a minute" not in blank_widgets(world)


def test_job_longer_than_its_period_is_skipped_or_waits_as_asked(
    world: World, guest: str, tmp_path: Path
) -> None:
    """Four runs, a second apart; each takes nearly three."""
    runs = {"skip": new_run(), "queue": new_run()}
    jobs = [
        job(rule, guest, run, schedule="cron(* * * * ? *)", overlap=rule, payload={"work_ms": 2700})
        for rule, run in runs.items()
    ]
    apply(world, tmp_path, jobs)
    with passing(world, "2050-06-01T00:00:30Z", "2050-06-01T00:04:10Z", seconds=3.7):
        pass
    apply(world, tmp_path, [])

    def ended(name: str) -> list[str] | None:
        found = states(world, name)
        return None if {"running", "queued"} & set(found) or len(found) < 4 else found

    # The fourth comes when the first has just ended: in a queue it finds a place, or none.
    assert poll(lambda: ended("skip"))[:3] == ["succeeded", "skipped", "skipped"]
    queued = poll(lambda: ended("queue"))
    assert queued[:3] == ["succeeded", "succeeded", "skipped"]
    first, second = history(world, "queue")[:2]
    assert second["started_at"] >= first["changed_at"]
    for name, run in runs.items():
        assert len(world.receipts(run)) == states(world, name).count("succeeded")


def test_throttled_run_is_captured_and_replayed_exactly_once(
    world: World, guest: str, tmp_path: Path
) -> None:
    run = new_run()
    apply(world, tmp_path, [job("nightly", guest, run)])
    world.hold(guest)
    assert world.reprise("schedule", "run", "nightly", "--json").code == 0
    await_states(world, "nightly", ["captured"])
    world.reprise("schedule", "run", "nightly")
    await_states(world, "nightly", ["captured", "skipped"])
    world.let_go(guest)
    await_states(world, "nightly", ["succeeded", "skipped"])
    assert world.receipts(run) == [(1, True)]


def test_lease_of_a_crashed_run_ends_and_the_next_run_starts(
    world: World, schedules: Schedules, guest: str, tmp_path: Path
) -> None:
    run = new_run()
    apply(world, tmp_path, [job("crashing", guest, run, payload={"work_ms": 3000})])
    table = JobTable(world.dynamodb, world.stack.ledger_table, utc_now)
    with (
        world.hidden_for(schedules.jobs_queue_url, seconds=12),
        world.reconfigured(schedules.runner, Timeout=8),
    ):
        world.reprise("schedule", "run", "crashing")
        running = poll(lambda: table.read("crashing").runs)[0]
        world.admin("POST", "kill", {"function": schedules.runner})
        world.reprise("schedule", "run", "crashing")
        poll(lambda: len(table.read("crashing").runs) == 2)
        poll(lambda: time.time() * 1000 > running.until_ms)
        # Nobody knows what the crashed run did, and its policy does not say that it may run twice.
        await_states(world, "crashing", ["dead_lettered", "skipped"])
        world.reprise("schedule", "run", "crashing")
        await_states(world, "crashing", ["dead_lettered", "skipped", "succeeded"])


def test_one_schedule_keeps_ten_functions_warm_and_no_ping_is_captured(
    world: World, schedules: Schedules
) -> None:
    names = [arn.rpartition(":")[2] for arn in WARM_GUESTS]
    model = world.functions.get_function_configuration(FunctionName=world.stack.chaos_target)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context):\n    return event\n")
    for name in names:
        world.functions.create_function(
            FunctionName=name,
            Runtime=model["Runtime"],
            Role=model["Role"],
            Handler="handler.handle",
            Code={"ZipFile": buffer.getvalue()},
        )
    # The window of this stack: six in the morning of 3 January in Seoul.
    course = {"at": "2050-01-02T20:59:00Z", "rate": 60, "until": "2050-01-02T21:01:00Z"}
    world.admin("POST", "schedules", {**course, "group": schedules.warm_window})
    group = f"/reprise/{schedules.name}/warmer"

    def pings() -> list[dict[str, Any]]:
        found = world.client("logs").filter_log_events(logGroupName=group)
        lines = [json.loads(event["message"]) for event in found["events"]]
        return [line for line in lines if "WarmPings" in line]

    (line,) = poll(pings, limit_s=60)
    assert line["WarmPings"] == [10.0]
    assert not {"WarmFailed", "WarmThrottled"} & set(line)
    environments = world.admin("GET", "environments")
    assert all(sum(environments[name].values()) >= 1 for name in names)
    captured = world.client("logs").filter_log_events(
        logGroupName=world.stack.capture_log_group, filterPattern='"guest-warm"'
    )
    assert captured["events"] == []
    assert "Warm pings a minute" not in blank_widgets(world)


def test_what_an_outage_held_back_runs_one_after_the_other_each_once(
    world: World, schedules: Schedules, guest: str, tmp_path: Path
) -> None:
    """As late retries of Scheduler bring it: in any order, and more than once."""
    run = new_run()
    rules = {"catch_up": "all", "payload": {"work_ms": 300}}
    apply(world, tmp_path, [job("late", guest, run, **rules)])
    name = {"GroupName": schedules.jobs_group, "Name": "late"}
    message = json.loads(world.client("scheduler").get_schedule(**name)["Target"]["Input"])
    now = utc_now()
    for hours in (1, 3, 2, 3):
        message["scheduled_at"] = format_instant(now - timedelta(hours=hours))
        send(world, schedules, json.dumps(message))
    await_states(world, "late", ["succeeded"] * 3)
    # Which message comes first is nobody's to say; what counts is that no two runs go at a time.
    first, second, third = sorted(history(world, "late"), key=lambda each: str(each["started_at"]))
    assert first["changed_at"] <= second["started_at"]
    assert second["changed_at"] <= third["started_at"]
    assert len(world.receipts(run)) == 3
    listed = world.look("schedule", "runs", "--job", "late", "--json").document["runs"]
    assert [found["state"] for found in listed] == ["succeeded"] * 3
    missed = world.look("schedule", "catch-up", "late", "--dry-run", "--json").document
    assert missed["jobs"] == [{"name": "late", "instants": [], "left": 0}]


def send(world: World, schedules: Schedules, body: str) -> None:
    world.client("sqs").send_message(QueueUrl=schedules.jobs_queue_url, MessageBody=body)


@pytest.fixture
def batch(world: World, schedules: Schedules) -> Iterator[Any]:
    """Make a queue whose jobs wait for a host, and deploy the add-on that may submit to it."""
    client, cloudformation = world.client("batch"), world.client("cloudformation")
    client.create_compute_environment(computeEnvironmentName="e2e", type="UNMANAGED")
    order = [{"order": 1, "computeEnvironment": "e2e"}]
    queue = client.create_job_queue(jobQueueName="e2e", priority=1, computeEnvironmentOrder=order)[
        "jobQueueArn"
    ]
    client.register_job_definition(jobDefinitionName="e2e-nightly", type="container")
    (stack,) = cloudformation.describe_stacks(StackName=schedules.name)["Stacks"]
    outputs = {found["OutputKey"]: found["OutputValue"] for found in stack["Outputs"]}
    parameters = {
        "RootStack": STACK_NAME,
        "BatchJobDefinitions": BATCH_JOB,
        "BatchJobQueues": queue,
        "RunnerRole": outputs["RunnerRole"],
    }
    cloudformation.create_stack(
        StackName=f"{STACK_NAME}-batch",
        TemplateBody=(REPOSITORY / "addons/batch/template.yaml").read_text(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=f"{STACK_NAME}-batch", WaiterConfig={"Delay": 1}
    )
    yield client
    cloudformation.delete_stack(StackName=f"{STACK_NAME}-batch")


def test_job_submitted_by_hand_is_an_overlap_and_replace_ends_only_what_a_schedule_submitted(
    world: World, schedules: Schedules, batch: Any
) -> None:
    table = JobTable(world.dynamodb, world.stack.ledger_table, utc_now)
    call = {"jobDefinition": "e2e-nightly", "jobQueue": "e2e"}

    def due(**rules: Any) -> None:
        at = format_instant(utc_now())
        send(
            world,
            schedules,
            write_due(RunRequest(job="close-day", scheduled_at=at, call=call, **rules)),
        )

    def stand(*expected: str) -> None:
        def found() -> tuple[str, ...]:
            return tuple(run.state.value for run in table.read("close-day").runs)

        try:
            poll(lambda: found() == expected)
        except TimeoutError as error:
            msg = f"not {expected}: {table.read('close-day').runs}"
            raise AssertionError(msg) from error

    by_hand = batch.submit_job(jobName="try", **call)["jobId"]
    due()
    stand("skipped")
    assert by_hand in str(table.read("close-day").runs[0].message)
    due(overlap=Overlap.REPLACE)
    stand("skipped", "skipped")
    batch.terminate_job(jobId=by_hand, reason="out of the way")
    due()
    stand("skipped", "skipped", "submitted")
    due(overlap=Overlap.REPLACE)
    stand("skipped", "skipped", "replaced", "submitted")
    *_, replaced, going = table.read("close-day").runs
    (job,) = batch.describe_jobs(jobs=[replaced.call_id])["jobs"]
    assert job["isTerminated"]
    assert job["statusReason"] == f"replaced by the run of {going.scheduled_at} of close-day"
    assert job["tags"] == {"reprise:job": "close-day"}
    listed = runs_of(world, schedules, "close-day", call)
    assert [(run["by"], run["state"]) for run in listed[:2]] == [
        ("schedule", "submitted"),
        ("schedule", "replaced"),
    ]
    assert ("hand", "failed", "out of the way") in [
        (run["by"], run["state"], run["message"]) for run in listed
    ]


def runs_of(
    world: World, schedules: Schedules, name: str, call: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the runs as the command lists them, with a schedule in the group that no file of jobs made."""
    place = {"GroupName": schedules.jobs_group, "Name": name}
    world.client("scheduler").create_schedule(
        **place,
        ScheduleExpression="cron(0 0 1 1 ? 2199)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": schedules.jobs_queue_arn,
            "RoleArn": schedules.jobs_scheduler_role_arn,
            "Input": write_due(RunRequest(job=name, call=call)),
        },
    )
    done = world.look("schedule", "runs", "--job", name, "--json")
    world.client("scheduler").delete_schedule(**place)
    runs: list[dict[str, Any]] = done.document["runs"]
    return runs


def test_window_gets_another_schedule_by_the_stacks_own_parameter_and_its_old_one_back(
    world: World, schedules: Schedules
) -> None:
    place = {"GroupName": schedules.warm_window, "Name": schedules.warm_window}

    def expression() -> str:
        found = world.client("scheduler").get_schedule(**place)
        assert found["ScheduleExpressionTimezone"] == "Asia/Seoul", "what was not changed stays"
        return str(found["ScheduleExpression"])

    old, new = expression(), "cron(0 6 4 1 ? *)"
    done = world.look("warm", "apply", "--schedule", new, "--yes", "--json")
    assert done.code == 0, done.stderr
    assert expression() == new
    back = world.look("warm", "apply", "--schedule", old, "--yes", "--json")
    assert back.code == 0, back.stderr
    assert expression() == old


def test_two_hundred_jobs_are_applied_in_time_and_nothing_changes_the_second_time(
    world: World, guest: str, tmp_path: Path
) -> None:
    jobs = [job(f"job-{number:03}", guest, "none") for number in range(200)]
    started_s = time.monotonic()
    assert apply(world, tmp_path, jobs)["applied"] == 200
    assert time.monotonic() - started_s < 30
    assert apply(world, tmp_path, jobs)["applied"] == 0
    listed = world.reprise("schedule", "list", "--json").document["jobs"]
    assert len(listed) == 200
