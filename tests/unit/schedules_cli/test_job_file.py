from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.exits import CommandError, ExitCode
from reprise_schedules.message import read_due
from reprise_schedules_cli.schedule.group import MARKER
from reprise_schedules_cli.schedule.job_check import check_jobs, policies_of
from reprise_schedules_cli.schedule.job_file import read_job_file
from reprise_schedules_cli.schedule.plan import (
    SchedulePlace,
    SchedulePlan,
    Verb,
    make_plan,
    wanted_schedule,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ORDERS = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
PLACE = SchedulePlace(
    group="reprise-jobs", queue_arn="arn:q", dead_letter_queue_arn="arn:d", role_arn="arn:r"
)
FILE = """
version: 1
timezone: Asia/Seoul
jobs:
  - name: nightly
    schedule: cron(0 3 * * ? *)
    call: {FunctionName: orders, Payload: {full: true}}
    overlap: queue
    deadline: 2h
    jitter: 10m
    description: Closes the day
    policy: {idempotent: true}
"""


def read(tmp_path: Path, text: str = FILE) -> Any:
    file = tmp_path / "jobs.yaml"
    file.write_text(text)
    jobs = read_job_file(file)
    return jobs, check_jobs(jobs, (ORDERS,), NOW)


def wanted(tmp_path: Path, text: str = FILE) -> list[dict[str, Any]]:
    jobs, checked = read(tmp_path, text)
    return [wanted_schedule(entry, jobs.zone_name(entry.job), PLACE) for entry in checked]


def test_job_shows_its_next_runs_in_its_own_time_zone(tmp_path: Path) -> None:
    _, (entry,) = read(tmp_path)
    assert [at.isoformat() for at in entry.next_runs(NOW, 2)] == [
        "2026-11-22T03:00:00+09:00",
        "2026-11-23T03:00:00+09:00",
    ]


def test_schedule_of_a_job_sends_what_the_runner_reads(tmp_path: Path) -> None:
    (request,) = wanted(tmp_path)
    body = request["Target"]["Input"].replace(
        "<aws.scheduler.scheduled-time>", "2026-11-22T03:00:00Z"
    )
    due = read_due(body)
    assert (due.job, due.overlap.value, due.deadline_s) == ("nightly", "queue", 7200)
    assert due.call == {"FunctionName": "orders", "Payload": {"full": True}}
    assert request["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}
    assert request["ScheduleExpressionTimezone"] == "Asia/Seoul"
    assert request["Description"] == f"{MARKER} Closes the day"


def test_job_that_catches_up_is_sent_as_long_as_it_is_of_use(tmp_path: Path) -> None:
    (plain,) = wanted(tmp_path)
    assert plain["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == 3600
    for deadline, age_s in (("2h", 7200), ("9d", 86_400)):
        text = FILE.replace("deadline: 2h", f"deadline: {deadline}\n    catch_up: last")
        (request,) = wanted(tmp_path, text)
        assert request["Target"]["RetryPolicy"] == {
            "MaximumRetryAttempts": 185,
            "MaximumEventAgeInSeconds": age_s,
        }
        assert json.loads(request["Target"]["Input"])["catch_up"] == "last"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cron(0 3 * * ? *)",
            "cron(0 25 * * ? *)",
            "job nightly: hours: 25 is out of range. Use 0 to 23",
        ),
        (
            "cron(0 3 * * ? *)",
            "cron(0 3 30 2 ? *)",
            "schedule: 'cron(0 3 30 2 ? *)' never runs again",
        ),
        ("Asia/Seoul", "Asia/Soul", "job nightly: timezone: 'Asia/Soul' is no time zone"),
        (
            "FunctionName: orders",
            "FunctionName: other",
            "call.FunctionName: 'other' is not an allowed",
        ),
        ("FunctionName: orders", "Function: orders", "job nightly: call names no target"),
        ("overlap: queue", "overlap: maybe", "job nightly: Invalid enum value 'maybe'"),
        ("overlap: queue", "overlaps: queue", "unknown field `overlaps`"),
        ("overlap: queue", "overlap: skp", ".overlap`. Use skip, queue, allow or replace"),
        (
            "overlap: queue",
            "overlap: replace",
            "job nightly: overlap: replace ends the run before it, and nothing ends a Lambda call",
        ),
        ("overlap: queue", "catch_up: yes", ".catch_up`"),
        ("overlap: queue", "catch_up: first", ".catch_up`. Use none, last or all"),
        (
            "cron(0 3 * * ? *)",
            "rate(1 hour)\n    catch_up: last",
            "job nightly: catch_up: only EventBridge Scheduler knows when a rate was due",
        ),
        (
            "overlap: queue",
            "overlap: replace\n    catch_up: all",
            "job nightly: catch_up: replace keeps the latest run only",
        ),
        ("deadline: 2h", "deadline: soon", "job nightly: deadline: 'soon' is no duration"),
        ("jitter: 10m", "jitter: soon", "job nightly: jitter: 'soon' is no duration"),
        ("full: true", "full: 2026-11-21", "job nightly: call is no JSON: Object of type date"),
        ("full: true", "full: .inf", "job nightly: call is no JSON: Out of range float"),
        (FILE, "# to be written", "jobs.yaml: is empty. Write `version: 1`"),
        ("deadline: 2h", "deadline: 30d", "job nightly: deadline:"),
        ("jitter: 10m", "jitter: 10s", "jitter must be 1m to 24h"),
        ("jitter: 10m", "jitter: 3h", "jitter is not below the deadline"),
        ("jitter: 10m", "jitter: 90s", "jitter has seconds. Scheduler's windows are whole minutes"),
        ("jitter: 10m", "jitter: 1441m", "jitter must be 1m to 24h"),
        # CreateSchedule takes 256 characters; the numbers of a list are soon more.
        (
            "cron(0 3",
            f"cron({','.join(map(str, range(60)))} {','.join(map(str, range(24)))},{'3,' * 20}3",
            "job nightly: schedule: has 287 characters, over EventBridge Scheduler's limit of 256",
        ),
        ("Closes the day", "x" * 600, "job nightly: description is 107 characters too long"),
        ("full: true", f"full: {'x' * 262_144}", "job nightly: call takes 262"),
        ("Asia/Seoul", "right/UTC", "job nightly: timezone: 'right/UTC' is no time zone"),
        ("name: nightly", f"name: {'x' * 65}", "name must be 1 to 64 letters"),
        ("idempotent: true", "maximum_attempts: 0", "policy: targets.orders: Expected `int` >= 1"),
        ("name: nightly", "name: every night", "name must be 1 to 64 letters"),
        ("version: 1", "version: 2", "Invalid enum value 2"),
        ("overlap: queue", "overlap: queue\n    overlap: skip", "'overlap' stands twice"),
        ("jobs:", "jobs: [", "Correct the YAML"),
    ],
)
def test_mistake_is_named_with_the_next_step(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(CommandError, match=re.escape(message)) as caught:
        read(tmp_path, FILE.replace(old, new))
    assert caught.value.code is ExitCode.USAGE


def test_call_may_be_spelt_as_other_tools_of_aws_spell_it(tmp_path: Path) -> None:
    _, (entry,) = read(tmp_path, FILE.replace("FunctionName", "functionName"))
    assert entry.request.target.function == ORDERS
    definition = "arn:aws:batch:eu-west-1:123456789012:job-definition/nightly"
    call = "{JobDefinition: nightly, JobQueue: spot, ArrayProperties: {size: 3}}"
    file = tmp_path / "batch.yaml"
    file.write_text(re.sub(r"\{FunctionName.*\}", call, FILE).replace("policy:", "#"))
    (job,) = check_jobs(read_job_file(file), (definition,), NOW)
    assert json.loads(job.request.payload)["submit"] == {
        "jobDefinition": "nightly",
        "jobName": "nightly",
        "jobQueue": "spot",
        "arrayProperties": {"size": 3},
    }


def test_expression_is_sent_with_single_blanks(tmp_path: Path) -> None:
    (request,) = wanted(tmp_path, FILE.replace("cron(0 3 * * ? *)", '" cron(0\t3  * * ? * )\n"'))
    assert request["ScheduleExpression"] == "cron(0 3 * * ? *)"


def test_whatever_is_valid_is_of_the_shape_that_create_schedule_takes(tmp_path: Path) -> None:
    model = botocore.session.get_session().get_service_model("scheduler")
    shape = model.operation_model("CreateSchedule").input_shape
    assert shape is not None
    longest = FILE.replace("Closes the day", "x" * 493).replace("nightly", "n" * 64)
    place = SchedulePlace(
        group="reprise-jobs", queue_arn="arn:q", dead_letter_queue_arn="arn:d", role_arn="arn:r"
    )
    jobs, (entry,) = read(tmp_path, longest)
    request = wanted_schedule(entry, jobs.zone_name(entry.job), place)
    assert not ParamValidator().validate(request, shape).has_errors()
    for name, limits in ((name, member.metadata) for name, member in shape.members.items()):
        if name in request and "max" in limits:
            assert limits["min"] <= len(request[name]) <= limits["max"], name


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="is no text in UTF-8"):
        read_job_file(file)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.yaml: cannot be read"):
        read_job_file(tmp_path / "none.yaml")


def test_jobs_of_one_target_must_agree_on_its_policy_and_have_their_own_names(
    tmp_path: Path,
) -> None:
    twice = FILE + FILE.partition("jobs:\n")[2]
    with pytest.raises(CommandError, match="job nightly: stands twice"):
        read(tmp_path, twice)
    second = FILE.partition("jobs:\n")[2].replace("nightly", "daily").replace("true}\n", "false}\n")
    with pytest.raises(CommandError, match="job daily: policy differs"):
        read(tmp_path, FILE + second)


def plan(
    request: dict[str, Any],
    there: dict[str, dict[str, Any]],
    **document: Any,
) -> SchedulePlan:
    return make_plan([request], there, {"orders": {"idempotent": True}}, document)


def test_plan_creates_then_changes_nothing_then_shows_what_differs(tmp_path: Path) -> None:
    (request,) = wanted(tmp_path)
    first = plan(request, {})
    assert [(step.verb, step.name) for step in first.steps] == [
        (Verb.CREATE, "nightly"),
        (Verb.POLICY, "orders"),
    ]
    applied = {"targets": {"orders": {"maximum_attempts": 9, "idempotent": True}}}
    there = {"nightly": {**request, "Arn": "arn:s", "CreationDate": NOW}}
    assert plan(request, there, **applied).steps == ()
    (other,) = wanted(tmp_path, FILE.replace("queue", "skip").replace("0 3", "0 4"))
    (step,) = plan(other, there, **applied).steps
    assert step.verb is Verb.UPDATE
    assert step.differences == (
        'ScheduleExpression: "cron(0 3 * * ? *)" -> "cron(0 4 * * ? *)"',
        'overlap: "queue" -> "skip"',
    )


def test_policy_by_old_names_is_that_by_new_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = FILE.replace("idempotent: true", "idempotent: true, max_attempts: 9")
    new = old.replace("max_attempts", "maximum_attempts")
    policies = policies_of(read(tmp_path, old)[1])
    assert policies == policies_of(read(tmp_path, new)[1])
    assert [record.getMessage() for record in caplog.records] == [
        "policy: job nightly: max_attempts is now called maximum_attempts: rename it"
    ]
    there = {"targets": {"orders": {"max_attempts": 9, "idempotent": True}}}
    assert make_plan([], {}, policies, there).steps == ()
    both = old.replace("max_attempts", "maximum_attempts: 9, max_attempts")
    with pytest.raises(CommandError, match="job nightly: policy: max_attempts is the old name of"):
        read(tmp_path, both)


def test_plan_deletes_only_what_files_of_jobs_made(tmp_path: Path) -> None:
    (request,) = wanted(tmp_path)
    there = {
        "nightly": request,
        "gone": {**request, "Name": "gone"},
        "by-hand": {**request, "Name": "by-hand", "Description": "mine"},
    }
    found = make_plan([request], there, {}, {})
    assert [(step.verb, step.name) for step in found.steps] == [(Verb.DELETE, "gone")]
    assert found.foreign == ("by-hand",)
    with pytest.raises(CommandError, match="which no file of jobs made"):
        make_plan([request], {"nightly": {**request, "Description": "mine"}}, {}, {})


def test_job_that_was_paused_by_hand_stays_paused(tmp_path: Path) -> None:
    (request,) = wanted(tmp_path)
    paused = {"nightly": {**request, "State": "DISABLED"}}
    found = make_plan([request], paused, {}, {})
    assert (found.steps, found.paused) == ((), ("nightly",))
    (changed,) = wanted(tmp_path, FILE.replace("0 3", "0 4"))
    (step,) = make_plan([changed], paused, {}, {}).steps
    assert step.wanted["State"] == "DISABLED"


def test_policies_are_those_of_targets(tmp_path: Path) -> None:
    _, checked = read(tmp_path)
    assert policies_of(checked) == {"orders": {"idempotent": True}}


def with_payload(payload: str) -> str:
    return FILE.replace("{full: true}", payload)


def test_alias_is_refused_by_its_name_and_place_before_it_grows(tmp_path: Path) -> None:
    """Each level is ten times the one before: a gigabyte, if it were taken."""
    levels = "".join(f", a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9))
    with pytest.raises(CommandError) as caught:
        read(tmp_path, with_payload("{a0: &a0 [x, x, x, x, x, x, x, x, x, x]" + levels + "}"))
    assert caught.value.code is ExitCode.USAGE
    assert "the alias *a0 is not taken" in str(caught.value)
    assert "line 7" in str(caught.value)
    assert "jobs.yaml" in str(caught.value)


@pytest.mark.parametrize("payload", ["&a {x: *a}", "&a [*a]", "{<<: *base}", "*nobody"])
def test_every_use_of_an_alias_is_refused(tmp_path: Path, payload: str) -> None:
    with pytest.raises(CommandError, match="is not taken"):
        read(tmp_path, with_payload(payload))


def test_anchor_that_nothing_refers_to_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, with_payload("&a {full: true}")) == read(tmp_path)


@pytest.mark.parametrize(
    "payload",
    [
        "1" * 5000,
        "2026-13-45",
        "2026-11-21T10:00:00+99:99",
        "!!timestamp x",
        "!!int x",
        "!!int ''",
        "!!float x",
        "!!bool x",
        "!!map x",
        "[" * 5000,
        "{a: " * 5000,
    ],
)
def test_what_yaml_chokes_on_is_an_error_of_the_file(tmp_path: Path, payload: str) -> None:
    with pytest.raises(CommandError, match=r"jobs\.yaml") as caught:
        read(tmp_path, with_payload(payload))
    assert caught.value.code is ExitCode.USAGE


@given(
    st.text(st.sampled_from("{}[]&*!|>'\"%@,:?-#~ab1.\n \t"), max_size=30)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
def test_no_file_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with contextlib.suppress(CommandError):
        read(tmp_path_factory.mktemp("jobs"), with_payload(text))
