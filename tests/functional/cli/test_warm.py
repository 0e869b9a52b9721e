"""`reprise warm apply`: the stack's window gets the hours of the live calls, by its parameter."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import WaiterError
from typer.testing import CliRunner

from functional.cli.test_commands import MotoApp, document_of
from reprise.instant import utc_now
from reprise_cli.aws import Aws
from reprise_cli.main import app
from reprise_cli.stack import Schedules

if TYPE_CHECKING:
    from typer.testing import Result

NOW = utc_now()
OLD = "cron(0/10 6-9,11-13,16-21 * * ? *)"
NAME = "reprise-schedules"


class Cloud:
    """A stack with a warm window of one function, which was called from nine to eleven each day."""

    def __init__(self, *, days: int = 10, changed_days_ago: int = 30) -> None:
        self.schedule = OLD
        self.changed_at = NOW - timedelta(days=changed_days_ago)
        self.parent: dict[str, str] = {}
        self.updates: list[dict[str, Any]] = []
        self.is_failing = False
        nine = NOW.replace(hour=9, minute=3)
        self.calls = [
            nine + timedelta(hours=hour, days=-day, seconds=number)
            for day in range(1, days + 1)
            for hour in (0, 1)
            for number in range(40)
        ]

    def get_schedule(self, **request: str) -> dict[str, Any]:
        assert request == {"GroupName": f"{NAME}-warm", "Name": f"{NAME}-warm"}
        return {
            "ScheduleExpression": self.schedule,
            "Target": {"Input": json.dumps({"functions": "orders", "concurrency": 2})},
            "CreationDate": NOW - timedelta(days=60),
            "LastModificationDate": self.changed_at,
        }

    def get_function_configuration(self, **_: str) -> dict[str, Any]:
        return {}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        line = "REPORT RequestId: 1 Billed Duration: 20 ms Memory Size: 1024 MB"
        times = [int(at.timestamp() * 1000) for at in self.calls]
        return [
            {
                "events": [
                    {"message": line, "timestamp": at} for at in times if at >= request["startTime"]
                ]
            }
        ]

    def describe_stacks(self, **request: str) -> dict[str, Any]:
        assert request == {"StackName": NAME}
        keys = [{"ParameterKey": key} for key in ("Targets", "WarmSchedule", "WarmFunctions")]
        return {"Stacks": [{"Parameters": keys, **self.parent}]}

    def update_stack(self, **request: Any) -> None:
        self.updates.append(request)
        self.schedule = request["Parameters"][-1]["ParameterValue"]

    def get_waiter(self, name: str) -> Any:
        assert name == "stack_update_complete"
        return self

    def wait(self, **_: Any) -> None:
        if self.is_failing:
            raise WaiterError(name="x", reason="UPDATE_ROLLBACK_COMPLETE", last_response={})

    def reprise(self, *arguments: str) -> Result:
        cloud: Any = self

        class OnFakes(MotoApp):
            @cached_property
            def aws(self) -> Aws:
                aws: Any = Aws(self.place)
                aws.scheduler = aws.functions = aws.logs = aws.cloudformation = cloud
                return aws  # type: ignore[no-any-return]

            @cached_property
            def schedules_if_any(self) -> Schedules | None:
                return Schedules(
                    name=NAME, target_arns="a", runner="r", jobs_queue_arn="q", jobs_queue_url="u",
                    jobs_dead_letter_queue_arn="d", jobs_group="g", jobs_scheduler_role_arn="s",
                    warmer="reprise-schedules-warmer",
                )  # fmt: skip

        return CliRunner().invoke(app, list(arguments), obj=OnFakes)


@pytest.fixture(autouse=True)
def _no_aws(aws_env: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws_env
    monkeypatch.setattr(MotoApp, "say_place", lambda _: None)


def test_tighter_hours_become_the_stacks_parameter_and_the_way_back_is_said() -> None:
    cloud = Cloud()
    done = cloud.reprise("warm", "apply", "--yes", "--json")
    assert done.exit_code == 0, done.output
    document = document_of(done)
    assert (document["old"], document["new"]) == (OLD, "cron(0/10 9-10 * * ? *)")
    # 13 and 2 hours of six due times, two environments, 30 days; one may lie on the edge.
    assert document["old_pings"] == pytest.approx(13 * 6 * 2 * 30, abs=2)
    assert document["new_pings"] == pytest.approx(2 * 6 * 2 * 30, abs=2)
    assert document["saved_usd"] > 0
    (update,) = cloud.updates
    assert update["UsePreviousTemplate"] is True
    assert update["Parameters"] == [
        {"ParameterKey": "Targets", "UsePreviousValue": True},
        {"ParameterKey": "WarmFunctions", "UsePreviousValue": True},
        {"ParameterKey": "WarmSchedule", "ParameterValue": "cron(0/10 9-10 * * ? *)"},
    ]
    back = cloud.reprise("warm", "apply", "--schedule", OLD, "--yes")
    assert back.exit_code == 0, back.output
    assert "reprise warm apply --schedule 'cron(0/10 9-10 * * ? *)'" in back.output
    assert cloud.schedule == OLD


def test_rehearsal_shows_both_windows_and_what_is_saved_and_changes_nothing() -> None:
    cloud = Cloud()
    done = cloud.reprise("warm", "apply", "--dry-run")
    assert done.exit_code == 0, done.output
    for text in (f"now  {OLD}", "then cron(0/10 9-10 * * ? *)", "USD in 30 days", "pings"):
        assert text in done.output
    assert cloud.updates == []


def test_nothing_is_changed_unasked() -> None:
    cloud = Cloud()
    done = cloud.reprise("warm", "apply")
    assert done.exit_code == 2
    assert "--yes: nobody can be asked here" in done.output
    assert cloud.updates == []


@pytest.mark.parametrize(
    ("cloud", "told"),
    [
        (Cloud(changed_days_ago=3), "the window has been as it is for 3 of 7 days"),
        (Cloud(days=2), "calls are known of 2 days, and it takes 5"),
        (Cloud(days=1), "calls are known of 1 days"),
    ],
)
def test_too_short_a_history_changes_nothing(cloud: Cloud, told: str) -> None:
    done = cloud.reprise("warm", "apply", "--yes")
    assert done.exit_code == 1
    assert told in done.output
    assert cloud.updates == []


def test_window_that_is_as_tight_as_the_calls_is_left() -> None:
    cloud = Cloud()
    cloud.schedule = "cron(0/10 9-10 * * ? *)"
    done = cloud.reprise("warm", "apply", "--yes")
    assert done.exit_code == 1
    assert cloud.updates == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--schedule", "cron(0 25 * * ? *)"], "--schedule: 25 is out of range"),
        (["--schedule", OLD], "WarmSchedule: is cron(0/10 6-9,11-13,16-21 * * ? *) already"),
        (["--since", "soon"], "--since: 'soon' is no duration"),
    ],
)
def test_bad_option_of_apply_is_named(arguments: list[str], told: str) -> None:
    done = Cloud().reprise("warm", "apply", "--yes", *arguments)
    assert done.exit_code != 0
    assert told in done.output


def test_stack_that_is_part_of_another_is_not_changed() -> None:
    cloud = Cloud()
    cloud.parent = {"ParentId": "arn:aws:cloudformation:eu-west-1:1:stack/all/1"}
    done = cloud.reprise("warm", "apply", "--yes")
    assert done.exit_code == 2
    assert "is part of another stack" in done.output
    assert cloud.updates == []


def test_update_that_fails_says_where_to_look() -> None:
    cloud = Cloud()
    cloud.is_failing = True
    done = cloud.reprise("warm", "apply", "--yes")
    assert done.exit_code == 1
    assert "describe-stack-events --stack-name reprise-schedules" in done.output
