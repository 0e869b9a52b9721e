"""Which captured calls a replay of a window means, and what becomes of each: pure rules.

A call's row says what may be done with its line. What nobody knows is taken in, as the pipeline would have
done it; what waits or runs is left alone; what has ended runs again only if that was asked for, a call that
was given up under its own id, and one that succeeded as a new call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reprise.capturing.reopen import is_other_call
from reprise.instant import parse_instant
from reprise.ledger import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.call.target import Target
    from reprise.capturing.record import Record
    from reprise.ledger import Row

CAPTURED: Final = "captured/"
"""Where capture objects lie (infra/capture.yaml); Firehose adds yyyy/MM/dd/HH/."""
EARLIEST: Final = timedelta(hours=1)
LATEST: Final = timedelta(hours=25)
"""Firehose names the hour in which a line came in, and tries for a day to deliver it."""
AGAIN_MARK: Final = "~"
"""Between the id of a first life and the job that gave it another one."""


class States(StrEnum):
    """Which calls are meant, by how they stand."""

    MISSING = "missing"
    """The ledger does not know them."""
    ENDED = "ended"
    """They were given up, or succeeded."""
    ALL = "all"
    """Both. A call that waits or runs is on its way, and is left alone."""


class Step(StrEnum):
    """What becomes of a call."""

    TAKE_IN = "take in"
    """Its object is taken in again: what the ledger knows of it is suppressed there."""
    REOPEN = "replay"
    """It was given up: it runs under its own id."""
    AGAIN = "run again"
    """It runs as a new call, whose id names the first one."""
    LEAVE = "leave"
    """It is on its way, or has ended and was not asked for."""
    REFUSE = "refuse"
    """It may not be replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was asked for."""

    begin_at: datetime
    end_at: datetime
    """Not included."""
    target: str | None = None
    """Name or ARN of a function; None for all."""
    states: States = States.MISSING
    into: Target | None = None
    """Where the calls go in the place of their own target."""
    ids: frozenset[str] = frozenset()
    """Calls that were named; empty: all of the window."""
    keys: tuple[str, ...] = ()
    """The capture objects of those."""
    ended_from: datetime | None = None
    """Calls that ended before are left: another version of the function ran them."""
    ended_to: datetime | None = None
    """Calls that ended then or later are left, too."""
    run_again: Mapping[str, str] = MappingProxyType({})
    """Jobs by the ids of calls that they run again in the same place: none of them makes a third life."""

    def holds(self, record: Record) -> bool:
        """Tell whether a captured call is meant, whatever its state."""
        if self.ids:
            return record.id in self.ids
        is_target = self.target in {None, record.target.name, record.target.function}
        return is_target and self.begin_at <= parse_instant(record.captured_at) < self.end_at

    def holds_end(self, row: Row) -> bool:
        """Tell whether a call that has ended did so when it was asked for."""
        at = parse_instant(row.updated_at)
        return (self.ended_from is None or self.ended_from <= at) and (
            self.ended_to is None or at < self.ended_to
        )

    @property
    def first_key(self) -> str:
        """Return the key from which objects may hold calls of the window."""
        return f"{CAPTURED}{self.begin_at - EARLIEST:%Y/%m/%d/%H}/"

    @property
    def end_key(self) -> str:
        """Return the key from which none do any more."""
        return f"{CAPTURED}{self.end_at + LATEST:%Y/%m/%d/%H}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a call, and why nothing more does."""

    step: Step
    why: str = ""


def decide(record: Record, row: Row | None, window: Window, now: datetime) -> Decision:
    """Return what becomes of a captured call that the window holds.

    Args:
        record: Authentic, or at least of the ledger's call.
        row: The ledger's; None if it has none.
        window: What was asked for.
        now: The present.
    """
    refusal = _refusal(record, row, now)
    if refusal:
        return Decision(step=Step.REFUSE, why=refusal)
    standing = _Standing.UNKNOWN if row is None else _STANDINGS.get(row.state, _Standing.OPEN)
    if standing not in _MEANT[window.states, window.into is not None]:
        told = f"it is {row.state.value}" if row is not None else "the ledger does not know it"
        return Decision(step=Step.LEAVE, why=told)
    if row is not None and standing in _ENDED and not window.holds_end(row):
        return Decision(step=Step.LEAVE, why="it ended at another time")
    step = Step.AGAIN if window.into is not None else _STEPS[standing]
    if step is Step.AGAIN and record.id in window.run_again:
        return Decision(step=Step.LEAVE, why=f"{window.run_again[record.id]} has it")
    return Decision(step=step)


def _refusal(record: Record, row: Row | None, now: datetime) -> str:
    if row is not None and is_other_call(row, record):
        return "the ledger knows another call by this id"
    if record.not_after is not None and parse_instant(record.not_after) <= now:
        return "its caller has no use of it any more (NotAfter)"
    return ""


class _Standing(StrEnum):
    """How a call stands, as far as it matters here."""

    UNKNOWN = "unknown"
    OPEN = "open"
    GIVEN_UP = "given up"
    SUCCEEDED = "succeeded"


_STANDINGS: Final = {
    State.DEAD_LETTERED: _Standing.GIVEN_UP,
    State.SUCCEEDED: _Standing.SUCCEEDED,
}
_ENDED: Final = frozenset({_Standing.GIVEN_UP, _Standing.SUCCEEDED})
_MEANT: Final = {
    (States.MISSING, False): frozenset({_Standing.UNKNOWN}),
    (States.MISSING, True): frozenset({_Standing.UNKNOWN}),
    (States.ENDED, False): _ENDED,
    (States.ENDED, True): _ENDED,
    (States.ALL, False): _ENDED | {_Standing.UNKNOWN},
    # Another target knows nothing of what waits for this one.
    (States.ALL, True): frozenset(_Standing),
}
"""Which calls are meant, by what was asked for and whether they go elsewhere."""
_STEPS: Final = {
    _Standing.UNKNOWN: Step.TAKE_IN,
    _Standing.GIVEN_UP: Step.REOPEN,
    _Standing.SUCCEEDED: Step.AGAIN,
}
"""What becomes of a call that is meant, in its own target."""


def again_id(call_id: str, job_id: str) -> str:
    """Return the id of a call's next life: the same whenever the same job is gone on with."""
    return f"{call_id}{AGAIN_MARK}{job_id}"


def first_life(call_id: str) -> tuple[str, str] | None:
    """Return the id of the call that this one runs again, and the job's; None if it is none such."""
    found = _AGAIN.fullmatch(call_id)
    return (found[1], found[2]) if found else None


_AGAIN: Final = re.compile(r"(.+)~(\d{8}T\d{6}Z-[0-9a-f]+)", re.ASCII | re.DOTALL)
"""A key of a caller's own may hold the mark, too; hardly a job's id behind it."""
