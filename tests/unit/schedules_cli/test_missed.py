"""Instants that were never sent: which are made up for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.errors import ScheduleError
from reprise.instant import format_instant
from reprise_schedules.catch_up import LATE_S, CatchUp
from reprise_schedules.message import RunRequest, read_due, write_due
from reprise_schedules.run import MAX_RUNS, JobState, RunEvent
from reprise_schedules_cli.schedule.missed import MOST, find_missed

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=30)


def schedule(
    catch_up: CatchUp = CatchUp.ALL,
    *,
    cron: str = "cron(0 * * * ? *)",
    deadline_s: int = 6 * 3600,
    state: str = "ENABLED",
    changed_at: datetime = LONG_AGO,
    **fields: Any,
) -> dict[str, Any]:
    due = RunRequest(job="hourly", call={"n": 1}, catch_up=catch_up, deadline_s=deadline_s)
    return {
        "Name": "hourly",
        "State": state,
        "ScheduleExpression": cron,
        "LastModificationDate": changed_at,
        "Target": {"Input": write_due(due)},
        **fields,
    }


def seen(*hours: int) -> JobState:
    job = JobState()
    for hour in hours:
        job = job.change(format_instant(NOON.replace(hour=hour)), RunEvent.SKIP, NOON)
    return job


def hours(found: Any) -> list[int]:
    assert found is not None
    return [at.hour for at in found.instants]


def test_all_makes_up_for_what_no_run_is_known_of_within_the_deadline() -> None:
    """At noon itself the run may still come; at six the deadline has passed."""
    assert hours(find_missed(schedule(), seen(8, 10), NOON)) == [7, 9, 11]


def test_last_makes_up_for_the_latest_only_if_nothing_ran_since() -> None:
    assert hours(find_missed(schedule(CatchUp.LAST), seen(8), NOON)) == [11]
    assert hours(find_missed(schedule(CatchUp.LAST), seen(11), NOON)) == []


def test_none_makes_up_for_nothing() -> None:
    assert find_missed(schedule(CatchUp.NONE), seen(), NOON) is None


def test_pause_is_made_up_for_since_it_began_and_up_to_now() -> None:
    paused = schedule(state="DISABLED", changed_at=NOON - timedelta(hours=2, minutes=1))
    assert hours(find_missed(paused, seen(), NOON)) == [10, 11, 12]


def test_window_of_scheduler_is_waited_for() -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 90}
    found = find_missed(schedule(FlexibleTimeWindow=window), seen(), NOON)
    assert hours(found) == [7, 8, 9, 10]


def test_instant_in_another_time_zone_has_the_name_that_scheduler_gives_it() -> None:
    seoul = schedule(
        cron="cron(0 18 * * ? *)", ScheduleExpressionTimezone="Asia/Seoul", deadline_s=86_400
    )
    found = find_missed(seoul, seen(), NOON)
    assert found is not None
    (body,) = found.bodies()
    assert read_due(body).scheduled_at == "2026-11-21T09:00:00.000000Z"
    assert read_due(body).call == {"n": 1}


def test_instants_of_runs_that_are_kept_no_more_are_left_alone() -> None:
    """Nobody knows any more whether they ran."""
    job = JobState()
    for minute in range(MAX_RUNS + 10):
        at = NOON - timedelta(minutes=90 - minute)
        job = job.change(format_instant(at), RunEvent.SKIP, NOON)
    assert job.forgotten == format_instant(NOON - timedelta(minutes=81))
    found = find_missed(schedule(cron="cron(* * * * ? *)"), job, NOON)
    assert found is not None
    assert found.instants[0] == NOON - timedelta(minutes=30)


def test_what_is_no_message_of_a_job_is_told() -> None:
    with pytest.raises(ScheduleError, match="no message of a job"):
        find_missed({**schedule(), "Target": {"Input": json.dumps({"n": 1})}}, seen(), NOON)


@given(
    catch_up=st.sampled_from(CatchUp),
    cron=st.sampled_from(["cron(* * * * ? *)", "cron(0/7 * * * ? *)", "cron(30 3 * * ? *)"]),
    deadline_s=st.integers(60, 9 * 86_400),
    changed_s=st.integers(0, 86_400),
    minutes=st.sets(st.integers(0, 9 * 1440), max_size=80),
    state=st.sampled_from(["ENABLED", "DISABLED"]),
)
def test_nothing_is_made_up_for_twice_or_outside_the_deadline_or_without_bound(
    catch_up: CatchUp, cron: str, deadline_s: int, changed_s: int, minutes: set[int], state: str
) -> None:
    job, decided = JobState(), set[str]()
    for minute in sorted(minutes, reverse=True):
        decided.add(name := format_instant(NOON - timedelta(minutes=minute)))
        job = job.change(name, RunEvent.SKIP, NOON)
    plan = schedule(
        catch_up, cron=cron, deadline_s=deadline_s, state=state,
        changed_at=NOON - timedelta(seconds=changed_s),
    )  # fmt: skip
    times = 0
    while True:
        found = find_missed(plan, job, NOON)
        if found is None or not found.instants:
            break
        names = [format_instant(at) for at in found.instants]
        assert names == sorted(set(names))
        assert not set(names) & {run.scheduled_at for run in job.runs}
        assert len(names) <= (1 if catch_up is CatchUp.LAST else MOST)
        for at in found.instants:
            assert NOON - timedelta(seconds=min(deadline_s, changed_s)) < at <= NOON
            assert state == "DISABLED" or at <= NOON - timedelta(seconds=LATE_S)
            assert read_due(found.bodies()[0]).deadline_at > NOON
        for name in names:
            assert name not in decided
            decided.add(name)
            job = job.change(name, RunEvent.SKIP, NOON)
        times += 1
        assert times <= 9 * 1440 / MOST
