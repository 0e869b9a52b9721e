"""The options that choose calls, and what they choose."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from reprise.instant import utc_now
from reprise.retry.decision import Reason
from reprise_cli.calls.selection import CallSelection, StateChoice, is_target
from reprise_cli.exits import UsageError
from reprise_cli.point_in_time import read_ago, read_point
from reprise_cli.policy.document import short_name
from reprise_letters.letter import error_pattern

if TYPE_CHECKING:
    from datetime import datetime

    from reprise_cli.app import App

TargetOption = Annotated[str | None, typer.Option(help="Only calls of this function.")]
StateOption = Annotated[
    StateChoice, typer.Option(help="open: captured, leased or waiting, which has not ended.")
]
ReasonOption = Annotated[
    str | None, typer.Option(help=f"Only calls given up for this: {', '.join(Reason)}.")
]
KeyOption = Annotated[str | None, typer.Option(help="Only calls with this key of their caller's.")]
ErrorOption = Annotated[
    str | None,
    typer.Option(help="Only calls that failed with this text, or one that matches /REGEX/."),
]
OlderOption = Annotated[str | None, typer.Option(help="Captured longer ago than this: 1h, 2d.")]
NewerOption = Annotated[str | None, typer.Option(help="Captured within this time: 30m.")]
FromOption = Annotated[
    str | None, typer.Option("--from", help="Captured since: 2026-11-30, 2026-11-30T02:15Z, 3h.")
]
ToOption = Annotated[str | None, typer.Option("--to", help="Captured until.")]
LimitOption = Annotated[int, typer.Option(min=1, help="Calls to list, the youngest.")]
ScanOption = Annotated[
    bool,
    typer.Option("--scan", help="Read the whole ledger: calls that are older than the index."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The options as they were typed."""

    target: str | None = None
    reason: str | None = None
    key: str | None = None
    error: str | None = None
    older_than: str | None = None
    newer_than: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was typed."""
        return self == Typed()


def call_filter(reprise: App, state: StateChoice, typed: Typed) -> CallSelection:
    """Return what the options choose.

    Raises:
        UsageError: If one of them cannot be understood.
    """
    reason, error = typed.reason, typed.error
    if reason is not None:
        if reason not in set(Reason):
            raise UsageError("--reason", f"{reason!r} is none", _meant(reason, list(Reason)))
        # Nothing else has a reason.
        state = StateChoice.DEAD_LETTERED if state is StateChoice.OPEN else state
    if typed.target is not None:
        _check_target(reprise, typed.target)
    try:
        pattern = None if error is None else error_pattern(error)
    except ValueError as wrong:
        raise UsageError("--error", str(wrong), "Correct it, then try again") from wrong
    now = utc_now()
    starts = [_point("--from", typed.since, now), read_ago("--newer-than", typed.newer_than, now)]
    ends = [_point("--to", typed.until, now), read_ago("--older-than", typed.older_than, now)]
    return CallSelection(
        state=state,
        target=typed.target,
        reason=reason,
        key=typed.key,
        error=pattern,
        since=max((at for at in starts if at is not None), default=None),
        until=min((at for at in ends if at is not None), default=None),
    )


def _check_target(reprise: App, target: str) -> None:
    """Refuse a name that no target has; what a pattern allows may have any."""
    allowed = list(reprise.stack.targets)
    if any(arn.endswith("*") or is_target(arn, target) for arn in allowed):
        return
    names = [short_name(arn) for arn in allowed]
    raise UsageError("--target", f"{target!r} is none of the stack's", _meant(target, names))


def _meant(text: str, known: list[str]) -> str:
    near = get_close_matches(text, known, 1)
    return f"Did you mean {near[0]}?" if near else f"One of {', '.join(known)}"


def _point(option: str, text: str | None, now: datetime) -> datetime | None:
    return None if text is None else read_point(option, text, now)
