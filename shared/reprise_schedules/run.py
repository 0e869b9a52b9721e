"""The life of one run of a job, as a table from (state, event) to state, and what is known of a job's runs.

    due ──start──▶ running ──succeed──▶ succeeded
    │ ╲queue         │ ├──capture──▶ captured ──succeed──▶ succeeded
    │  ▼             │ ├──submit───▶ submitted ─┬─fail───▶ failed
    │ queued──start──┘ ├──release──▶ queued     └─dead_letter──▶ dead_lettered
    │ skip, expire     └──lose──▶ lost ──capture──▶ captured
    ▼                                        submitted ──replace──▶ replaced
    skipped, expired

What is not in the table is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.instant import format_instant
from reprise.ledger import transition

if TYPE_CHECKING:
    from datetime import datetime


class RunState(StrEnum):
    """Where a run stands."""

    DUE = "due"
    """Nothing was decided yet."""
    QUEUED = "queued"
    """Waits for the run before it, or for a store that was away."""
    RUNNING = "running"
    """A runner holds it, until its lease runs out."""
    CAPTURED = "captured"
    """Its call was refused or failed, and is being replayed."""
    SUBMITTED = "submitted"
    """Its batch job was accepted, and has not ended yet."""
    LOST = "lost"
    """Its runner died, and nobody has taken the run over yet."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It failed, and no replay is under way: its message is in the jobs' dead-letter queue."""
    DEAD_LETTERED = "dead_lettered"
    """Its replays were given up: its dead letter says why."""
    REPLACED = "replaced"
    """A later run had its batch job ended, and took its place."""
    SKIPPED = "skipped"
    """The run before it was still going, or a later one takes its place."""
    EXPIRED = "expired"
    """Its deadline came before its turn."""


class RunEvent(StrEnum):
    """What can happen to a run."""

    START = "start"
    QUEUE = "queue"
    SKIP = "skip"
    EXPIRE = "expire"
    SUCCEED = "succeed"
    CAPTURE = "capture"
    SUBMIT = "submit"
    RELEASE = "release"
    LOSE = "lose"
    FAIL = "fail"
    DEAD_LETTER = "dead_letter"
    REPLACE = "replace"


_S, _E = RunState, RunEvent
TRANSITIONS: Final[dict[tuple[RunState, RunEvent], RunState]] = {
    (_S.DUE, _E.START): _S.RUNNING,
    (_S.DUE, _E.QUEUE): _S.QUEUED,
    (_S.DUE, _E.SKIP): _S.SKIPPED,
    (_S.DUE, _E.EXPIRE): _S.EXPIRED,
    (_S.DUE, _E.FAIL): _S.FAILED,
    (_S.QUEUED, _E.START): _S.RUNNING,
    (_S.QUEUED, _E.SKIP): _S.SKIPPED,
    (_S.QUEUED, _E.EXPIRE): _S.EXPIRED,
    (_S.RUNNING, _E.SUCCEED): _S.SUCCEEDED,
    (_S.RUNNING, _E.CAPTURE): _S.CAPTURED,
    (_S.RUNNING, _E.SUBMIT): _S.SUBMITTED,
    (_S.RUNNING, _E.RELEASE): _S.QUEUED,
    (_S.RUNNING, _E.FAIL): _S.FAILED,
    (_S.RUNNING, _E.LOSE): _S.LOST,
    (_S.LOST, _E.CAPTURE): _S.CAPTURED,
    (_S.LOST, _E.SUCCEED): _S.SUCCEEDED,
    (_S.LOST, _E.FAIL): _S.FAILED,
    (_S.CAPTURED, _E.SUCCEED): _S.SUCCEEDED,
    (_S.CAPTURED, _E.FAIL): _S.FAILED,
    (_S.CAPTURED, _E.DEAD_LETTER): _S.DEAD_LETTERED,
    (_S.SUBMITTED, _E.SUCCEED): _S.SUCCEEDED,
    (_S.SUBMITTED, _E.FAIL): _S.FAILED,
    (_S.SUBMITTED, _E.REPLACE): _S.REPLACED,
}

HOLDING: Final = frozenset({RunState.RUNNING, RunState.CAPTURED, RunState.SUBMITTED})
"""States in which a run is still going, as long as its lease runs."""
OPEN: Final = HOLDING | {RunState.DUE, RunState.QUEUED, RunState.LOST}
"""States from which a run may still go on."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one run."""

    scheduled_at: str
    """When it was due, ISO 8601 in UTC: its name within its job."""
    state: RunState = RunState.DUE
    changed_at: str = ""
    """When it came into its state, ISO 8601."""
    started_at: str | None = None
    owner: str | None = None
    """Who holds it."""
    until_ms: int = 0
    """Until when it counts as still going, or as waiting: milliseconds since the epoch."""
    call_id: str | None = None
    """The captured call, or the batch job, that the run became."""
    message: str | None = None
    """Why it was skipped, what it waits for, or how it failed."""
    is_late: bool = False
    """Whether it was first seen long after its time."""
    asking_since: str | None = None
    """Since when Batch has not said which jobs are going, ISO 8601; None if it was not asked, or said it."""
    replaced_by: str | None = None
    """The run for whose sake its batch job is ended."""


MAX_RUNS: Final = 50
"""Runs kept, the newest; those that may still go on are never dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The runs of one job, in the order they were first seen."""

    runs: tuple[Run, ...] = ()
    version: int = 0
    """Counts writes; a write is conditional on the version it was computed from."""
    forgotten: str = ""
    """The latest scheduled time of a run that is kept no more; empty if none was dropped.

    Every run that was ever seen of a later time is here.
    """

    def find(self, scheduled_at: str) -> Run:
        """Return a run; one that was never seen is due."""
        for run in self.runs:
            if run.scheduled_at == scheduled_at:
                return run
        return Run(scheduled_at=scheduled_at)

    def others(self, scheduled_at: str) -> list[Run]:
        """Return every run but this one."""
        return [run for run in self.runs if run.scheduled_at != scheduled_at]

    def amend(self, scheduled_at: str, **changes: object) -> JobState:
        """Return the job with other fields of one of its runs, which stays in its state."""
        runs = tuple(
            msgspec.structs.replace(run, **changes) if run.scheduled_at == scheduled_at else run
            for run in self.runs
        )
        return replace(self, runs=runs)

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
        state = transition(TRANSITIONS, before.state, event)
        after = msgspec.structs.replace(
            before, state=state, changed_at=format_instant(now), **changes
        )
        if before in self.runs:
            runs = tuple(after if run is before else run for run in self.runs)
        else:
            runs = (*self.runs, after)
        kept, dropped = _trim(runs)
        forgotten = max(self.forgotten, *(run.scheduled_at for run in dropped), "")
        return replace(self, runs=kept, forgotten=forgotten)


def is_holding(run: Run, now_ms: int) -> bool:
    """Tell whether a run is still going, as far as anybody knows."""
    return run.state in HOLDING and now_ms < run.until_ms


def is_waiting(run: Run, now_ms: int) -> bool:
    """Tell whether a run waits for its turn."""
    return run.state is RunState.QUEUED and now_ms < run.until_ms


def _trim(runs: tuple[Run, ...]) -> tuple[tuple[Run, ...], list[Run]]:
    """Return runs without the oldest beyond the limit, and those; none that may still go on is dropped."""
    surplus = len(runs) - MAX_RUNS
    kept: list[Run] = []
    dropped: list[Run] = []
    for run in runs:
        if len(dropped) < surplus and run.state not in OPEN:
            dropped.append(run)
        else:
            kept.append(run)
    return tuple(kept), dropped
