"""What is known of a job: its last runs, as one value that is written whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.instant import format_instant
from reprise.schedule.run import HOLDING, OPEN, Run, RunEvent, RunState, next_run_state

if TYPE_CHECKING:
    from datetime import datetime

MAX_RUNS: Final = 50
"""Runs kept, the newest; those that may still go on are never dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The runs of one job, in the order they were first seen."""

    runs: tuple[Run, ...] = ()
    version: int = 0
    """Counts writes; a write is conditional on the version it was computed from."""

    def find(self, scheduled_at: str) -> Run:
        """Return a run; one that was never seen is due."""
        for run in self.runs:
            if run.scheduled_at == scheduled_at:
                return run
        return Run(scheduled_at=scheduled_at)

    def others(self, scheduled_at: str) -> list[Run]:
        """Return every run but this one."""
        return [run for run in self.runs if run.scheduled_at != scheduled_at]

    def change(
        self, scheduled_at: str, event: RunEvent, now: datetime, **changes: object
    ) -> JobState:
        """Return the job after an event of one run.

        Args:
            scheduled_at: Which run.
            event: What happened to it.
            now: When.
            changes: Other fields of the run.

        Raises:
            IllegalTransitionError: If that cannot happen in the run's state.
        """
        before = self.find(scheduled_at)
        state = next_run_state(before.state, event)
        after = msgspec.structs.replace(
            before, state=state, changed_at=format_instant(now), **changes
        )
        if before in self.runs:
            runs = tuple(after if run is before else run for run in self.runs)
        else:
            runs = (*self.runs, after)
        return replace(self, runs=_trim(runs))


def is_holding(run: Run, now_ms: int) -> bool:
    """Tell whether a run is still going, as far as anybody knows."""
    return run.state in HOLDING and now_ms < run.until_ms


def is_waiting(run: Run, now_ms: int) -> bool:
    """Tell whether a run waits for its turn."""
    return run.state is RunState.QUEUED and now_ms < run.until_ms


def _trim(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Drop the oldest runs beyond the limit, but none that may still go on."""
    surplus = len(runs) - MAX_RUNS
    kept: list[Run] = []
    for run in runs:
        if surplus > 0 and run.state not in OPEN:
            surplus -= 1
        else:
            kept.append(run)
    return tuple(kept)
