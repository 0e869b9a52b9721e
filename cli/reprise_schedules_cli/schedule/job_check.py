"""Check jobs: what Scheduler, the invoker or Batch would refuse is named by its job and field."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.errors import BadRequestError, PolicyError, ScheduleError
from reprise.retry.policy import read_policy_document, with_new_names
from reprise.wiring import target_types
from reprise_cli.duration import parse_duration
from reprise_cli.exits import UsageError
from reprise_schedules.catch_up import CatchUp
from reprise_schedules.message import NAME, RunRequest, write_due
from reprise_schedules.overlap import CANNOT_REPLACE, Overlap
from reprise_schedules_cli.schedule.expression import (
    Rate,
    find_zone,
    next_runs,
    parse_expression,
)
from reprise_schedules_cli.schedule.group import described
from reprise_schedules_cli.schedule.job_file import FIELDS_STEP, MINUTE_S

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from reprise.call.request import CallRequest
    from reprise_schedules_cli.schedule.expression import Expression
    from reprise_schedules_cli.schedule.job_file import Job, JobFile

_MAX_JITTER_S: Final = 1440 * MINUTE_S
_MAX_DESCRIPTION_CHARS: Final = 512
"""EventBridge Scheduler API reference, CreateSchedule, Description."""
_MAX_INPUT_BYTES: Final = 256 * 1024
"""Of a run's message: SQS's limit until 2025; Scheduler's model names none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A job that can be applied."""

    job: Job
    expression: Expression
    zone: ZoneInfo
    request: CallRequest

    def next_runs(self, now: datetime, count: int = 5) -> list[datetime]:
        """Return the next times of the job; a rate counts from when it is applied."""
        return next_runs(self.expression, self.zone, now, count)


def check_jobs(jobs: JobFile, targets: tuple[str, ...], now: datetime) -> list[Checked]:
    """Return the jobs of a file, each with its schedule and call understood.

    Raises:
        CommandError: Naming the job and the field of the first mistake.
    """
    names = [job.name for job in jobs.jobs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        where = f"job {min(twice)}"
        raise UsageError(where, "stands twice in the file", "Give each job its own name")
    checked = [_check(_with_new_names(job), jobs.zone_name(job), targets, now) for job in jobs.jobs]
    policies_of(checked)
    return checked


def policies_of(checked: list[Checked]) -> dict[str, dict[str, Any]]:
    """Return the policy fields that jobs set, by the name that the policy document gives a target.

    Raises:
        CommandError: If two jobs of one target disagree, or a field is none of a policy.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in checked:
        name, where = entry.request.target.name, f"job {entry.job.name}"
        if entry.job.policy is None:
            continue
        if found.setdefault(name, entry.job.policy) != entry.job.policy:
            raise UsageError(
                where,
                f"policy differs from another job's of {name!r}",
                "A policy belongs to a target: say the same in each of its jobs",
            )
        try:
            read_policy_document(
                msgspec.json.encode({"targets": {name: entry.job.policy}}).decode()
            )
        except PolicyError as error:
            text = str(error).partition(". Correct the SSM")[0]
            raise UsageError(where, f"policy: {text}", FIELDS_STEP) from error
    return found


def _with_new_names(job: Job) -> Job:
    """Return a job whose policy's fields have their present names, so that all after this know these only."""
    if job.policy is None:
        return job
    where = f"job {job.name}"
    try:
        return msgspec.structs.replace(job, policy=with_new_names(job.policy, where))
    except PolicyError as error:
        message = str(error).removeprefix(f"{where}: ").partition(". ")[0]
        raise UsageError(where, f"policy: {message}", "Remove the old name") from error


def _check(job: Job, zone_name: str, targets: tuple[str, ...], now: datetime) -> Checked:
    where = f"job {job.name}"
    if not NAME.fullmatch(job.name):
        raise UsageError(
            where, "name must be 1 to 64 letters, digits, _ . and -", "Choose another name"
        )
    try:
        expression = parse_expression(job.schedule)
        zone = find_zone(zone_name)
    except ScheduleError as error:
        raise UsageError(where, f"{error.field}: {error.message}", error.next_step) from error
    if not next_runs(expression, zone, now, 1):
        raise UsageError(
            where, f"schedule: {job.schedule!r} never runs again", "Correct day or year"
        )
    _check_catch_up(job, expression, where)
    _check_durations(job, where)
    _check_call_is_json(job, where)
    _check_sizes(job, where)
    types = target_types(targets)
    for each in types:
        if each.is_meant(job.call):
            try:
                request = each.read_call(job.call, targets)
            except BadRequestError as error:
                raise UsageError(
                    where, f"call.{error.field}: {error.message}", error.next_step
                ) from error
            if job.overlap is Overlap.REPLACE and each.mark is None:
                raise UsageError(where, f"overlap: {CANNOT_REPLACE[0]}", CANNOT_REPLACE[1])
            return Checked(job=job, expression=expression, zone=zone, request=request)
    markers = " or ".join(each.marker for each in types)
    raise UsageError(where, "call names no target", f"Set {markers}")


def _check_catch_up(job: Job, expression: Expression, where: str) -> None:
    if job.catch_up is not CatchUp.NONE and isinstance(expression, Rate):
        raise UsageError(
            where,
            "catch_up: only EventBridge Scheduler knows when a rate was due",
            "Write the schedule as cron(...), or leave catch_up out",
        )
    if job.catch_up is CatchUp.ALL and job.overlap is Overlap.REPLACE:
        raise UsageError(
            where,
            "catch_up: replace keeps the latest run only, and all is every one",
            "Use last, or another overlap",
        )


def _check_durations(job: Job, where: str) -> None:
    for field, text in (("deadline", job.deadline), ("jitter", job.jitter)):
        try:
            parse_duration(text or "0s")
        except ValueError as error:
            raise UsageError(where, f"{field}: {error}", "The day is the longest unit") from error
    try:
        msgspec.convert(msgspec.to_builtins(job.due()), RunRequest)
    except msgspec.ValidationError as error:
        raise UsageError(where, f"deadline: {error}", "Use 1m to 9d") from error
    jitter_s = job.jitter_minutes * MINUTE_S
    if job.jitter and not MINUTE_S <= jitter_s <= _MAX_JITTER_S:
        raise UsageError(where, "jitter must be 1m to 24h", "Scheduler's windows are whole minutes")
    if job.jitter and parse_duration(job.jitter) != jitter_s:
        raise UsageError(where, "jitter has seconds", "Scheduler's windows are whole minutes")
    if jitter_s >= job.deadline_s:
        raise UsageError(
            where, "jitter is not below the deadline", "A run could be too late at once"
        )


def _check_sizes(job: Job, where: str) -> None:
    """Refuse what Scheduler would refuse, or cut, at the first apply."""
    chars = len(described(job.description))
    if chars > _MAX_DESCRIPTION_CHARS:
        message = f"description is {chars - _MAX_DESCRIPTION_CHARS} characters too long"
        raise UsageError(where, message, "Scheduler keeps 512, our marker included")
    size_bytes = len(write_due(job.due()).encode())
    if size_bytes > _MAX_INPUT_BYTES:
        raise UsageError(
            where,
            f"call takes {size_bytes} bytes in a message, over {_MAX_INPUT_BYTES}",
            "Keep the payload in S3 and send its key",
        )


def _check_call_is_json(job: Job, where: str) -> None:
    """Refuse what YAML knows and JSON does not: an unquoted date, .inf, .nan."""
    try:
        json.dumps(job.call, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            where, f"call is no JSON: {error}", "Quote dates and the like: '2026-11-21'"
        ) from error
