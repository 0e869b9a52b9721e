"""Read a file of jobs: YAML to values, every mistake named by its job and field."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import yaml

from reprise.errors import BadRequestError, PolicyError, ScheduleError
from reprise.retry.policy import read_policy_document, with_new_names
from reprise.wiring import target_types
from reprise_cli.duration import parse_duration
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.schedule.expression import find_zone, next_runs, parse_expression
from reprise_cli.schedule.group import described
from reprise_schedules.message import DEFAULT_DEADLINE_S, NAME, RunRequest, write_due
from reprise_schedules.overlap import Overlap

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from reprise.call.request import CallRequest
    from reprise_cli.schedule.expression import Expression

_MAX_JITTER_S: Final = 1440 * 60
_MINUTE_S: Final = 60
_MAX_DESCRIPTION_CHARS: Final = 512
"""EventBridge Scheduler API reference, CreateSchedule, Description."""
_MAX_INPUT_BYTES: Final = 256 * 1024
"""Of a run's message: SQS's limit until 2025; Scheduler's model names none of its own."""
_STEP: Final = "See docs/howto/cron-without-overlap.md for the fields of a job"


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job of the file."""

    name: str
    schedule: str
    """`cron(...)` or `rate(...)`, as EventBridge Scheduler takes it."""
    timezone: str | None = None
    call: dict[str, Any]
    """As the invoker takes it (`FunctionName`, `Payload`), or as Batch's SubmitJob does."""
    overlap: Overlap = Overlap.SKIP
    deadline: str | None = None
    """How long after its time a run, and each replay of it, is of use: 90m, 2h, 1d."""
    jitter: str | None = None
    """Window within which Scheduler may start a run; whole minutes."""
    paused: bool = False
    description: str = ""
    policy: dict[str, Any] | None = None
    """Fields of the replay policy of the job's target."""

    @property
    def deadline_s(self) -> int:
        """Return the deadline in seconds."""
        return int(parse_duration(self.deadline)) if self.deadline else DEFAULT_DEADLINE_S

    @property
    def jitter_minutes(self) -> int:
        """Return the window in minutes; 0 is none."""
        return int(parse_duration(self.jitter)) // _MINUTE_S if self.jitter else 0

    def due(self) -> RunRequest:
        """Return the message of a run; Scheduler puts the time in."""
        return RunRequest(
            job=self.name, overlap=self.overlap, deadline_s=self.deadline_s, call=self.call
        )


class JobFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of jobs."""

    version: Literal[1]
    timezone: str = "UTC"
    """Time zone of the jobs that name none."""
    jobs: list[Job]

    def zone_name(self, job: Job) -> str:
        """Return the name of a job's time zone."""
        return job.timezone or self.timezone


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


class _Loader(yaml.SafeLoader):
    """Refuses what would be taken in silence: a key that stands twice, and an alias.

    Aliases of aliases make gigabytes of a few hundred bytes, and files come with foreign pull requests.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"the alias *{event.anchor} is not taken: write out what it stands for",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError) as error:
            # PyYAML reads numbers and dates by patterns, and believes an explicit tag.
            raise yaml.MarkedYAMLError(
                problem=f"no value of {node.tag}: {error}", problem_mark=node.start_mark
            ) from error


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str) and key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"{key!r} stands twice", problem_mark=key_node.start_mark
            )
        seen.add(key if isinstance(key, str) else id(key_node))
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_job_file(path: Path) -> JobFile:
    """Return the jobs of a file, checked by type.

    Raises:
        CommandError: Naming the file, and where in it.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
        if document is None:
            raise _usage(str(path), "is empty", f"Write `version: 1` and `jobs:`. {_STEP}")
        jobs = msgspec.convert(document, JobFile)
    except OSError as error:
        raise _usage(
            str(path), f"cannot be read: {error.strerror}", "Name a file of jobs"
        ) from error
    except UnicodeDecodeError as error:
        raise _usage(str(path), f"is no text in UTF-8: {error}", "Save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise _usage(str(path), " ".join(str(error).split()), "Correct the YAML") from error
    except RecursionError as error:
        raise _usage(str(path), "is nested too deep", "Correct the YAML") from error
    except msgspec.ValidationError as error:
        raise _usage(str(path), _by_name(str(error), document), _next_step(str(error))) from error
    return jobs


def check_jobs(jobs: JobFile, targets: tuple[str, ...], now: datetime) -> list[Checked]:
    """Return the jobs of a file, each with its schedule and call understood.

    Raises:
        CommandError: Naming the job and the field of the first mistake.
    """
    names = [job.name for job in jobs.jobs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        where = f"job {min(twice)}"
        raise _usage(where, "stands twice in the file", "Give each job its own name")
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
            raise _usage(
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
            raise _usage(where, f"policy: {text}", _STEP) from error
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
        raise _usage(where, f"policy: {message}", "Remove the old name") from error


def _check(job: Job, zone_name: str, targets: tuple[str, ...], now: datetime) -> Checked:
    where = f"job {job.name}"
    if not NAME.fullmatch(job.name):
        raise _usage(
            where, "name must be 1 to 64 letters, digits, _ . and -", "Choose another name"
        )
    try:
        expression = parse_expression(job.schedule)
        zone = find_zone(zone_name)
    except ScheduleError as error:
        raise _usage(where, f"{error.field}: {error.message}", error.next_step) from error
    if not next_runs(expression, zone, now, 1):
        raise _usage(where, f"schedule: {job.schedule!r} never runs again", "Correct day or year")
    _check_durations(job, where)
    _check_call_is_json(job, where)
    _check_sizes(job, where)
    types = target_types(targets)
    for each in types:
        if each.is_meant(job.call):
            try:
                request = each.read_call(job.call, targets)
            except BadRequestError as error:
                raise _usage(
                    where, f"call.{error.field}: {error.message}", error.next_step
                ) from error
            return Checked(job=job, expression=expression, zone=zone, request=request)
    markers = " or ".join(each.marker for each in types)
    raise _usage(where, "call names no target", f"Set {markers}")


def _check_durations(job: Job, where: str) -> None:
    for field, text in (("deadline", job.deadline), ("jitter", job.jitter)):
        try:
            parse_duration(text or "0s")
        except ValueError as error:
            raise _usage(where, f"{field}: {error}", "The day is the longest unit") from error
    try:
        msgspec.convert(msgspec.to_builtins(job.due()), RunRequest)
    except msgspec.ValidationError as error:
        raise _usage(where, f"deadline: {error}", "Use 1m to 9d") from error
    jitter_s = job.jitter_minutes * _MINUTE_S
    if job.jitter and not _MINUTE_S <= jitter_s <= _MAX_JITTER_S:
        raise _usage(where, "jitter must be 1m to 24h", "Scheduler's windows are whole minutes")
    if job.jitter and parse_duration(job.jitter) != jitter_s:
        raise _usage(where, "jitter has seconds", "Scheduler's windows are whole minutes")
    if jitter_s >= job.deadline_s:
        raise _usage(where, "jitter is not below the deadline", "A run could be too late at once")


def _check_sizes(job: Job, where: str) -> None:
    """Refuse what Scheduler would refuse, or cut, at the first apply."""
    chars = len(described(job.description))
    if chars > _MAX_DESCRIPTION_CHARS:
        message = f"description is {chars - _MAX_DESCRIPTION_CHARS} characters too long"
        raise _usage(where, message, "Scheduler keeps 512, our marker included")
    size_bytes = len(write_due(job.due()).encode())
    if size_bytes > _MAX_INPUT_BYTES:
        raise _usage(
            where,
            f"call takes {size_bytes} bytes in a message, over {_MAX_INPUT_BYTES}",
            "Keep the payload in S3 and send its key",
        )


def _check_call_is_json(job: Job, where: str) -> None:
    """Refuse what YAML knows and JSON does not: an unquoted date, .inf, .nan."""
    try:
        json.dumps(job.call, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _usage(
            where, f"call is no JSON: {error}", "Quote dates and the like: '2026-11-21'"
        ) from error


def _next_step(message: str) -> str:
    """Return what to do about msgspec's message: it says what is wrong, and not what would be right."""
    if message.endswith(".overlap`"):
        return f"Use {', '.join(list(Overlap)[:-1])} or {list(Overlap)[-1]}"
    return _STEP


def _by_name(message: str, document: object) -> str:
    """Return msgspec's message with the job's name where it says the job's number."""
    match = re.search(r"\$\.jobs\[(\d+)\]", message)
    if match and isinstance(document, dict):
        try:
            name = document["jobs"][int(match[1])]["name"]
        except (KeyError, TypeError, IndexError):
            return message
        return f"job {name}: {message}"
    return message


def _usage(field: str, message: str, next_step: str) -> CommandError:
    return CommandError(field, message, next_step, ExitCode.USAGE)
