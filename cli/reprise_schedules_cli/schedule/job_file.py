"""Read a file of jobs: YAML to values, every mistake named by its job and field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import yaml

from reprise_cli.duration import parse_duration
from reprise_cli.exits import UsageError
from reprise_schedules.catch_up import CatchUp
from reprise_schedules.message import DEFAULT_DEADLINE_S, RunRequest
from reprise_schedules.overlap import Overlap

if TYPE_CHECKING:
    from pathlib import Path

MINUTE_S: Final = 60
FIELDS_STEP: Final = "See docs/howto/cron-without-overlap.md for the fields of a job"


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job of the file."""

    name: str
    schedule: str
    """`cron(...)` or `rate(...)`, as EventBridge Scheduler takes it."""
    timezone: str | None = None
    call: dict[str, Any]
    """As the invoker takes it (`FunctionName`, `Payload`), or as Batch's SubmitJob does."""
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.NONE
    """What is made up for after an outage or a pause, within the deadline."""
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
        return int(parse_duration(self.jitter)) // MINUTE_S if self.jitter else 0

    def due(self) -> RunRequest:
        """Return the message of a run; Scheduler puts the time in."""
        return RunRequest(
            job=self.name,
            overlap=self.overlap,
            catch_up=self.catch_up,
            deadline_s=self.deadline_s,
            call=self.call,
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
            raise UsageError(
                str(path), "is empty", f"Write `version: 1` and `jobs:`. {FIELDS_STEP}"
            )
        jobs = msgspec.convert(document, JobFile)
    except OSError as error:
        raise UsageError(
            str(path), f"cannot be read: {error.strerror}", "Name a file of jobs"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(str(path), f"is no text in UTF-8: {error}", "Save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise UsageError(str(path), " ".join(str(error).split()), "Correct the YAML") from error
    except RecursionError as error:
        raise UsageError(str(path), "is nested too deep", "Correct the YAML") from error
    except msgspec.ValidationError as error:
        raise UsageError(
            str(path), _by_name(str(error), document), _next_step(str(error))
        ) from error
    return jobs


def _next_step(message: str) -> str:
    """Return what to do about msgspec's message: it says what is wrong, and not what would be right."""
    for field, words in ((".overlap`", list(Overlap)), (".catch_up`", list(CatchUp))):
        if message.endswith(field):
            return f"Use {', '.join(words[:-1])} or {words[-1]}"
    return FIELDS_STEP


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
