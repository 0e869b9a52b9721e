"""The settings of each function: environment to frozen values, checked once at start."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import OutcomeKind
from reprise.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import DataclassInstance

_WHOLE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
SOURCE_FOLDER: Final = "/source/"
"""What stands between a stack's name and that of a source in the name of the source's secret."""
DEFAULT_CAPTURE_OUTCOMES: Final = "throttled,transient,unknown,function_error"
ANSWERING_DOORS_CAPTURE: Final = frozenset(
    {OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT, OutcomeKind.UNKNOWN}
)
"""What doors capture through which a caller gets its target's own answer: a function's error is one."""
STDOUT: Final = "stdout"
"""Value of `REPRISE_CAPTURE_LOG_GROUP` where standard output goes to a group that is captured from."""


class OnCapture(StrEnum):
    """How a caller is told that its call was kept, `REPRISE_ON_CAPTURE`."""

    FUNCTION_ERROR = "function_error"
    """202 and `FunctionError`: one send, and nothing that looks like a success."""
    EXCEPTION = "exception"
    """424: the SDK raises, after one send."""
    ACCEPTED = "accepted"
    """202 alone: for code that knows what it means."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> OnCapture:
        """Return what the environment says.

        Raises:
            SettingsError: If that is none of them.
        """
        text = env.get("REPRISE_ON_CAPTURE", "").strip() or cls.FUNCTION_ERROR.value
        try:
            return cls(text)
        except ValueError as error:
            msg = f"REPRISE_ON_CAPTURE: {text!r} is none of {', '.join(cls)}"
            raise SettingsError(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSettings:
    """Settings of whoever makes calls: the invoker, or the library in a caller's process."""

    targets: tuple[str, ...]
    bucket: str
    mac_secret_arn: str
    call_timeout_s: int
    capture_outcomes: frozenset[OutcomeKind]
    status_url: str
    """With `{id}`, and if need be `{token}`, where the call's own go."""
    ledger_table: str
    capture_log_group: str
    """Where capture lines go; `STDOUT` if this process's standard output is a group that is captured from."""
    policy_parameter: str = ""
    """Where policies are, which may say what is captured of single targets; empty if nobody is to look."""
    stack: str = "reprise"
    """Name of the stack, which says where late results may go."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> CallerSettings:
        """Read the settings; see `read_settings`.

        What the environment leaves out the stack may say: see `with_what_the_stack_says`.
        """
        stack = _stack(env)
        return read_settings(
            cls,
            env,
            capture_outcomes=outcomes_of(env),
            status_url=env.get("REPRISE_STATUS_URL") or f"reprise://{stack}/calls/{{id}}",
            capture_log_group=capture_log_group(env),
            policy_parameter=env.get("REPRISE_POLICY_PARAMETER", "").strip(),
            stack=stack,
        )


_SAID: Final = {
    "bucket": "REPRISE_BUCKET",
    "capture_log_group": "REPRISE_CAPTURE_LOG_GROUP",
    "ledger_table": "REPRISE_LEDGER_TABLE",
    "targets": "REPRISE_TARGETS",
    "policy_parameter": "REPRISE_POLICY_PARAMETER",
    "call_timeout_s": "REPRISE_CALL_TIMEOUT_S",
}
"""What a stack says to its callers, and the variable that says it otherwise."""
CALLERS_NEED: Final = ("bucket", "ledger_table", "targets", "call_timeout_s")
"""Without one of these a caller asks its stack; the others have defaults."""


def callers_parameter(env: Mapping[str, str]) -> str:
    """Return the name of the parameter in which the stack says what its callers need to know."""
    return f"/{_stack(env)}/callers"


def missing_of(env: Mapping[str, str], needed: Iterable[str] = CALLERS_NEED) -> str:
    """Return in words which variables a caller lacks, and its stack can say; empty if none."""
    missing = [_SAID[name] for name in needed if not env.get(_SAID[name], "").strip()]
    return f"environment variable {', '.join(missing)}" if missing else ""


def with_what_the_stack_says(env: Mapping[str, str], document: str) -> dict[str, str]:
    """Return a caller's environment, and for what is missing there what its stack says.

    Args:
        env: The environment; a variable that is set wins.
        document: Value of the parameter `callers_parameter`, a JSON object. Fields that are not known here
            are a later version's, and left alone.

    Raises:
        SettingsError: If it is no such document, naming the field.
    """
    where = f"parameter {callers_parameter(env)}"
    try:
        said = json.loads(document)
    except (ValueError, RecursionError) as error:
        msg = f"{where} is not JSON: {error}. Deploy the stack again"
        raise SettingsError(msg) from error
    if not isinstance(said, dict):
        msg = f"{where} must be a JSON object. Deploy the stack again"
        raise SettingsError(msg)
    found = dict(env)
    for name, variable in _SAID.items():
        if name in said and not env.get(variable, "").strip():
            found[variable] = _said(said[name], f"{where}: {name}")
    return found


def _said(value: object, where: str) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        entries = [entry for entry in value if isinstance(entry, str)]
        if len(entries) == len(value):
            return ",".join(entries)
    msg = f"{where} must be a text, a number or a list of texts, got {value!r}. Deploy the stack again"
    raise SettingsError(msg)


def with_secret(env: Mapping[str, str]) -> dict[str, str]:
    """Return a caller's environment with the secret of the source that signs here, by name.

    A source that `REPRISE_SOURCE` does not name is called as the function that runs here is.

    Raises:
        SettingsError: If nothing says who signs.
    """
    if env.get("REPRISE_MAC_SECRET_ARN", "").strip():
        return dict(env)
    source = source_of(env)
    if not source:
        msg = (
            "environment variables REPRISE_SOURCE and REPRISE_MAC_SECRET_ARN are not set, and this is no "
            "Lambda function: name the source that signs here, as `reprise sources add NAME` made it"
        )
        raise SettingsError(msg)
    return {**env, "REPRISE_MAC_SECRET_ARN": f"{_stack(env)}{SOURCE_FOLDER}{source}"}


def source_of(env: Mapping[str, str]) -> str:
    """Return the name of the source that signs here, unless a secret is named; empty if nothing says it."""
    return (env.get("REPRISE_SOURCE") or env.get("AWS_LAMBDA_FUNCTION_NAME") or "").strip()


def capture_log_group(env: Mapping[str, str]) -> str:
    """Return where capture lines go: what is said, else the group of the stack that is meant.

    Standard output only where somebody says that it is captured from: of a line that nobody reads nothing
    may be called captured.
    """
    return env.get("REPRISE_CAPTURE_LOG_GROUP") or f"/reprise/{_stack(env)}/capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackerSettings:
    """Settings of the unpacker."""

    targets: tuple[str, ...]
    bucket: str
    stack: str
    ledger_table: str
    replay_queue_url: str
    capture_queue_url: str
    capture_dlq_url: str
    dead_letter_queue_url: str
    log_groups: frozenset[str]
    account_id: str
    retention_days: int
    event_bus: str
    """Name or ARN of the bus that events go to."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> UnpackerSettings:
        """Read the settings; see `read_settings`."""
        return read_settings(cls, env, stack=_stack(env), event_bus=_event_bus(env))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayerSettings:
    """Settings of the replayer."""

    targets: tuple[str, ...]
    bucket: str
    policy_parameter: str
    ledger_table: str
    replay_queue_url: str
    dead_letter_queue_url: str
    call_timeout_s: int
    retention_days: int
    stack: str
    event_bus: str
    """Name or ARN of the bus that events go to."""
    has_success_events: bool
    """Whether each success is an event, too."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ReplayerSettings:
        """Read the settings; see `read_settings`."""
        return read_settings(
            cls,
            env,
            stack=_stack(env),
            event_bus=_event_bus(env),
            has_success_events=env.get("REPRISE_SUCCESS_EVENTS") == "true",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Settings of the observer."""

    stack: str
    targets: tuple[str, ...]
    bucket: str
    ledger_table: str
    capture_queue_url: str
    replay_queue_url: str
    dead_letter_queue_url: str
    log_groups: tuple[str, ...]
    """Log groups that capture lines come from."""
    alarms: tuple[str, ...]
    """Names of the alarms that are incidents."""
    policy_parameter: str
    event_bus: str
    dashboard_url: str
    runbook_url: str
    is_read_back: bool
    """Whether the reconciler reads the log groups back."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> MonitorSettings:
        """Read the settings; see `read_settings`."""
        return read_settings(
            cls,
            env,
            stack=_stack(env),
            event_bus=_event_bus(env),
            is_read_back=env.get("REPRISE_READ_BACK") == "true",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerSettings:
    """Settings of the reconciler."""

    bucket: str
    ledger_table: str
    log_groups: tuple[str, ...]
    """Log groups that capture lines come from."""
    account_id: str
    due_s: int
    """Age from which a captured line is missed."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ReconcilerSettings:
        """Read the settings; see `read_settings`."""
        return read_settings(cls, env)


def read_settings[S: DataclassInstance](
    cls: type[S], env: Mapping[str, str], **others: object
) -> S:
    """Return settings, each field from the variable of its name: `bucket` from `REPRISE_BUCKET`.

    Args:
        cls: The settings.
        env: The environment.
        others: Fields that have a default, or a rule of their own.

    Raises:
        SettingsError: Naming the variable that is missing or malformed.
    """
    found = {
        each.name: _READERS[str(each.type)](env, f"REPRISE_{each.name.upper()}")
        for each in fields(cls)
        if each.name not in others
    }
    return cls(**found, **others)


def _stack(env: Mapping[str, str]) -> str:
    return env.get("REPRISE_STACK") or "reprise"


def _event_bus(env: Mapping[str, str]) -> str:
    return env.get("REPRISE_EVENT_BUS") or "default"


def text_of(env: Mapping[str, str], name: str) -> str:
    """Return a variable's text; one that is not set is an error."""
    value = env.get(name, "").strip()
    if not value:
        msg = (
            f"environment variable {name} is not set: `reprise sources add` prints a caller's variables, "
            "and the stack's template sets its functions'"
        )
        raise SettingsError(msg)
    return value


def list_of(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the entries of a comma list; empty entries are dropped, and none at all is an error."""
    entries = entries_of(text_of(env, name))
    if not entries:
        msg = f"environment variable {name} lists nothing"
        raise SettingsError(msg)
    return entries


def entries_of(text: str) -> tuple[str, ...]:
    """Return the entries of a comma list, without the empty ones."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def number_of(env: Mapping[str, str], name: str) -> int:
    """Return a variable's whole number; anything else is an error."""
    text = text_of(env, name)
    if not _WHOLE_NUMBER.fullmatch(text):
        msg = f"environment variable {name} must be a whole number above 0, got {text!r}"
        raise SettingsError(msg)
    return int(text)


_READERS: Final[Mapping[str, Callable[[Mapping[str, str], str], object]]] = {
    "str": text_of,
    "int": number_of,
    "tuple[str, ...]": list_of,
    "frozenset[str]": lambda env, name: frozenset(list_of(env, name)),
}
"""How a variable is read, by the type of its field, as it is written there."""


def outcomes_of(env: Mapping[str, str]) -> frozenset[OutcomeKind]:
    """Return the outcomes that are to be captured by `REPRISE_CAPTURE_OUTCOMES`.

    Raises:
        SettingsError: Naming what is no outcome that can be captured.
    """
    text = env.get("REPRISE_CAPTURE_OUTCOMES", DEFAULT_CAPTURE_OUTCOMES)
    names = entries_of(text)
    known = {kind.value: kind for kind in OutcomeKind if kind is not OutcomeKind.SUCCEEDED}
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = f"REPRISE_CAPTURE_OUTCOMES: {unknown[0]!r} is none of {', '.join(known)}"
        raise SettingsError(msg)
    return frozenset(known[name] for name in names)
