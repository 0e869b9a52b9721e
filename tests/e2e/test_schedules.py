"""Schedules on a clock that a test can set: when jobs run, and that no two runs of one overlap.

The clock of the schedules stands in 2050, so that no deadline has passed; all else keeps real time.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from e2e.widgets import blank_widgets
from e2e.world import WARM_GUESTS, new_run, poll
from reprise.instant import utc_now
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
