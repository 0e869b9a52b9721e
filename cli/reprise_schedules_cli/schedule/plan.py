"""Plan what makes a schedule group equal to a file of jobs: pure, from values to a value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from reprise.retry.policy import with_new_names
from reprise_cli.exits import UsageError
from reprise_schedules.catch_up import CatchUp
from reprise_schedules.message import write_due
from reprise_schedules_cli.schedule.expression import write_expression
from reprise_schedules_cli.schedule.group import described, is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise_schedules_cli.schedule.job_check import Checked
    from reprise_schedules_cli.schedule.job_file import Job

_COMPARED: Final = (
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "State",
    "Description",
    "ActionAfterCompletion",
)
_RETRY: Final = {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600}
"""Scheduler sends again what the queue did not take; the run's own name makes a second copy harmless."""

_MOST_ATTEMPTS: Final = 185
_OLDEST_S: Final = 86_400
"""EventBridge Scheduler API reference, RetryPolicy."""


class Verb(StrEnum):
    """What a step does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePlace:
    """Where schedules go, and as whom."""

    group: str
    queue_arn: str
    dead_letter_queue_arn: str
    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One change."""

    verb: Verb
    name: str
    """Of the job, or of the target whose policy it is."""
    wanted: dict[str, Any]
    """The request, or the policy's fields."""
    differences: tuple[str, ...] = ()
    """For people: which field, from what, to what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePlan:
    """All changes, in order, and what stays though it differs."""

    steps: tuple[PlanStep, ...]
    paused: tuple[str, ...] = ()
    """Jobs that somebody paused by hand: they stay paused."""
    foreign: tuple[str, ...] = ()
    """Schedules of the group that no file of jobs made: they stay as they are."""


def wanted_schedule(entry: Checked, zone_name: str, place: SchedulePlace) -> dict[str, Any]:
    """Return the schedule of a job, as CreateSchedule takes it."""
    job = entry.job
    window: dict[str, Any] = {"Mode": "OFF"}
    if job.jitter_minutes:
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": job.jitter_minutes}
    return {
        "Name": job.name,
        "GroupName": place.group,
        "Description": described(job.description),
        "ScheduleExpression": write_expression(job.schedule),
        "ScheduleExpressionTimezone": zone_name,
        "FlexibleTimeWindow": window,
        "State": "DISABLED" if job.paused else "ENABLED",
        "ActionAfterCompletion": "NONE",
        "Target": {
            "Arn": place.queue_arn,
            "RoleArn": place.role_arn,
            "Input": write_due(job.due()),
            "DeadLetterConfig": {"Arn": place.dead_letter_queue_arn},
            "RetryPolicy": _retry(job),
        },
    }


def _retry(job: Job) -> dict[str, int]:
    """Return how long Scheduler tries to send a run: as long as it is of use, if a job catches up."""
    if job.catch_up is CatchUp.NONE:
        return dict(_RETRY)
    return {
        "MaximumRetryAttempts": _MOST_ATTEMPTS,
        "MaximumEventAgeInSeconds": min(job.deadline_s, _OLDEST_S),
    }


def make_plan(
    wanted: Sequence[dict[str, Any]],
    there: Mapping[str, dict[str, Any]],
    policies: Mapping[str, dict[str, Any]],
    document: Mapping[str, Any],
) -> SchedulePlan:
    """Return what makes a group equal to a file.

    Args:
        wanted: The file's schedules, see `wanted_schedule`.
        there: The group's schedules by name, as GetSchedule tells them.
        policies: Policy fields that jobs set, by target.
        document: The policy document in force.

    Raises:
        CommandError: If a job has the name of a schedule that is not ours.
    """
    steps: list[PlanStep] = []
    paused: list[str] = []
    for request in wanted:
        name = request["Name"]
        found = there.get(name)
        if found is None:
            steps.append(PlanStep(verb=Verb.CREATE, name=name, wanted=request))
            continue
        if not is_ours(found):
            where = f"job {name}"
            raise UsageError(
                where,
                "the group has a schedule of that name which no file of jobs made",
                "Rename the job, or delete that schedule",
            )
        if found["State"] == "DISABLED" and request["State"] == "ENABLED":
            paused.append(name)
            request = {**request, "State": "DISABLED"}  # noqa: PLW2901 - what is wanted now
        differences = tuple(_differences(found, request))
        if differences:
            steps.append(
                PlanStep(verb=Verb.UPDATE, name=name, wanted=request, differences=differences)
            )
    names = {request["Name"] for request in wanted}
    gone = sorted(name for name, found in there.items() if name not in names and is_ours(found))
    steps += [PlanStep(verb=Verb.DELETE, name=name, wanted={}) for name in gone]
    steps += _policy_steps(policies, document)
    foreign = sorted(name for name, found in there.items() if not is_ours(found))
    return SchedulePlan(steps=tuple(steps), paused=tuple(paused), foreign=tuple(foreign))


def _policy_steps(
    policies: Mapping[str, dict[str, Any]], document: Mapping[str, Any]
) -> list[PlanStep]:
    """Return what sets the fields that jobs name; the others of a policy stay as they are."""
    steps = []
    for target, fields in sorted(policies.items()):
        found = with_new_names(document.get("targets", {}).get(target, {}), f"targets.{target}")
        changed = {key: value for key, value in fields.items() if found.get(key) != value}
        if changed:
            differences = tuple(
                f"{key}: {json.dumps(found.get(key))} -> {json.dumps(value)}"
                for key, value in changed.items()
            )
            steps.append(
                PlanStep(verb=Verb.POLICY, name=target, wanted=fields, differences=differences)
            )
    return steps


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the fields that differ, as people read them."""
    changes: list[str] = []
    for field in _COMPARED:
        before, after = found.get(field), wanted.get(field)
        if field == "Target":
            changes += _target_differences(before or {}, after or {})
        elif before != after:
            changes.append(f"{field}: {json.dumps(before)} -> {json.dumps(after)}")
    return changes


def _target_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    changes = [
        f"Target.{key}: {json.dumps(before.get(key))} -> {json.dumps(after[key])}"
        for key in after
        if key != "Input" and before.get(key) != after[key]
    ]
    old, new = _input(before), _input(after)
    changes += [
        f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    return changes


def _input(target: Mapping[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads(target.get("Input", "{}"))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
