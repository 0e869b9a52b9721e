"""The settings of each function: environment to frozen values, checked once at start."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import OutcomeKind
from reprise.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import DataclassInstance

_WHOLE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
DEFAULT_CAPTURE_OUTCOMES: Final = "throttled,transient,unknown,function_error"
STDOUT: Final = "stdout"
"""Value of `REPRISE_CAPTURE_LOG_GROUP` where standard output goes to a group that is captured from."""


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
    stack: str = "reprise"
    """Name of the stack, which says where late results may go."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> CallerSettings:
        """Read the settings; see `read_settings`."""
        stack = _stack(env)
        return read_settings(
            cls,
            env,
            capture_outcomes=_outcomes(env),
            status_url=env.get("REPRISE_STATUS_URL") or f"reprise://{stack}/calls/{{id}}",
            capture_log_group=capture_log_group(env),
            stack=stack,
        )


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
    event_bus: str
    dashboard_url: str
    runbook_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> MonitorSettings:
        """Read the settings; see `read_settings`."""
        return read_settings(cls, env, stack=_stack(env), event_bus=_event_bus(env))


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


def _outcomes(env: Mapping[str, str]) -> frozenset[OutcomeKind]:
    text = env.get("REPRISE_CAPTURE_OUTCOMES", DEFAULT_CAPTURE_OUTCOMES)
    names = entries_of(text)
    known = {kind.value: kind for kind in OutcomeKind if kind is not OutcomeKind.SUCCEEDED}
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = f"REPRISE_CAPTURE_OUTCOMES: {unknown[0]!r} is none of {', '.join(known)}"
        raise SettingsError(msg)
    return frozenset(known[name] for name in names)
