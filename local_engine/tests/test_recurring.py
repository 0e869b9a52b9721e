"""Canary of ``recurring``: crons in time zones, on a clock that can be set."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from local_engine.testing import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.testing import Aws

ROLE = "arn:aws:iam::000000000000:role/r"
DUE = "<aws.scheduler.scheduled-time>"


@contextmanager
def passing(aws: Aws, at: str, until: str, *, seconds: float = 1.0) -> Iterator[None]:
    """Let the time from one instant to another pass in about a second, after what is done inside."""
    from datetime import datetime  # noqa: PLC0415 - kept beside its one use

    span_s = (datetime.fromisoformat(until) - datetime.fromisoformat(at)).total_seconds()
    aws.admin("POST", "schedules", at=at, rate=0)
    yield
    aws.admin("POST", "schedules", at=at, rate=span_s / seconds, until=until)
    wait_for(lambda: aws.admin("GET", "schedules")["is_over"])


@pytest.fixture(autouse=True)
def _real_clock_afterwards(aws: Aws) -> Iterator[None]:
    yield
    aws.admin("DELETE", "schedules")


def schedule(aws: Aws, expression: str, arn: str, **settings: Any) -> str:
    name = f"s-{uuid.uuid4().hex[:8]}"
    aws.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"RoleArn": ROLE, "Arn": arn, "Input": DUE},
        **settings,
    )
    return name


def received(aws: Aws, url: str, count: int) -> list[str]:
    sqs, found = aws.client("sqs"), []

    def take() -> bool:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message["Body"])
        return len(found) >= count and not messages

    wait_for(take)
    return sorted(found)


def test_cron_runs_at_the_instants_of_its_time_zone_across_a_change_of_clocks(aws: Aws) -> None:
    """In Berlin 02:30 does not exist on 29 March 2026."""
    url, arn = aws.make_queue()
    with passing(aws, "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"):
        schedule(aws, "cron(30 2 * * ? *)", arn, ScheduleExpressionTimezone="Europe/Berlin")
    assert received(aws, url, 2) == ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]


def test_time_that_comes_twice_runs_once(aws: Aws) -> None:
    url, arn = aws.make_queue()
    with passing(aws, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"):
        schedule(aws, "cron(30 2 * * ? *)", arn, ScheduleExpressionTimezone="Europe/Berlin")
    assert received(aws, url, 1) == ["2026-10-25T00:30:00Z"]


def test_schedules_of_other_groups_keep_real_time(aws: Aws) -> None:
    url, arn = aws.make_queue()
    scheduler, group = aws.client("scheduler"), f"g-{uuid.uuid4().hex[:8]}"
    scheduler.create_schedule_group(Name=group)
    schedule(aws, "cron(0 0 1 1 ? *)", arn)
    schedule(aws, "cron(0 0 2 1 ? *)", arn, GroupName=group)
    course = {"at": "2050-01-01T00:00:00Z", "rate": 0, "group": group}
    aws.admin("POST", "schedules", **course)
    aws.admin("POST", "schedules", **course | {"rate": 1e6, "until": "2050-01-03T00:00:00Z"})
    wait_for(lambda: aws.admin("GET", "schedules")["is_over"])
    assert received(aws, url, 1) == ["2050-01-02T00:00:00Z"]


def test_paused_or_ended_schedule_does_not_run(aws: Aws) -> None:
    url, arn = aws.make_queue()
    with passing(aws, "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"):
        schedule(aws, "cron(0 * * * ? *)", arn, State="DISABLED")
        schedule(aws, "cron(0 * * * ? *)", arn, EndDate="2026-07-01T01:30:00Z")
    assert received(aws, url, 1) == ["2026-07-01T01:00:00Z"]


def test_every_schedule_of_a_group_is_listed(aws: Aws) -> None:
    scheduler, group = aws.client("scheduler"), f"g-{uuid.uuid4().hex[:8]}"
    scheduler.create_schedule_group(Name=group)
    _, arn = aws.make_queue()
    made = {schedule(aws, "rate(1 day)", arn, GroupName=group) for _ in range(5)}
    pages = list(
        scheduler.get_paginator("list_schedules").paginate(
            GroupName=group, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["Schedules"]) for page in pages] == [2, 2, 1]
    assert {found["Name"] for page in pages for found in page["Schedules"]} == made
