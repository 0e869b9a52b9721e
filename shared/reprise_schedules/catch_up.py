"""What becomes of instants at which a job did not run: a late run, and those that were never sent.

A run is late by when it is first seen, not by how long it then waits for its turn. Nobody but EventBridge
Scheduler knows of an instant that it never sent: `reprise schedule resume` and `catch-up` send those
(cli/reprise_schedules_cli/schedule/missed.py), and they come here as late runs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise.instant import parse_instant
from reprise_schedules.run import Run, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

LATE_S: Final = 120.0
"""Scheduler sends within 60 seconds of an instant (its User Guide, "Schedule types"); twice that is late."""
SETTLE_S: Final = 60.0
"""How long a late run waits for later ones to come: what an outage held back comes in some seconds."""
_LEFT_OUT: Final = frozenset({RunState.SKIPPED, RunState.EXPIRED})


class CatchUp(StrEnum):
    """What is made up for after an outage or a pause; the deadline bounds it in each case."""

    NONE = "none"
    """What was sent late runs as ever, what was never sent does not."""
    LAST = "last"
    """Only the latest instant."""
    ALL = "all"
    """Every instant, one run after the other, the earliest first."""


def is_late(run: Run, now: datetime) -> bool:
    """Tell whether a run was, or now is, seen for the first time long after its time."""
    if run.state is not RunState.DUE:
        return run.is_late
    return (now - parse_instant(run.scheduled_at)).total_seconds() >= LATE_S


def is_overtaken(run: Run, others: Iterable[Run]) -> bool:
    """Tell whether a later instant of the job has a run that was not left out."""
    return any(
        other.scheduled_at > run.scheduled_at and other.state not in _LEFT_OUT for other in others
    )
