"""Find out how a run ended that goes on by itself: a captured call, or a batch job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from reprise.ledger import State
from reprise_schedules.run import Run, RunEvent, RunState

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.ports import Ledger

EVENT_COMES_WITHIN_S: Final = 900
"""A failed job whose event has not been unpacked after that long is none of ours."""


class Jobs(Protocol):
    """Tells of batch jobs."""

    def status_of(self, job_id: str) -> dict[str, Any] | None:
        """Return what Batch knows of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResolver:
    """Looks up what runs became."""

    ledger: Ledger
    batch: Jobs

    def __call__(self, run: Run, now: datetime) -> RunEvent | str | None:
        """Return how a run ended, or the job that it goes on as, or None while it goes on.

        Raises:
            StoreError: If nobody can tell now.
        """
        if run.call_id is None:
            return None
        if run.state is RunState.SUBMITTED:
            return self._follow_job(run, run.call_id, now)
        row = self.ledger.get(run.call_id)
        match row.state if row else None:
            case State.SUCCEEDED:
                return RunEvent.SUCCEED
            case State.DEAD_LETTERED:
                return RunEvent.DEAD_LETTER
            case _:
                return None

    def _follow_job(self, run: Run, job_id: str, now: datetime) -> RunEvent | str | None:
        job = self.batch.status_of(job_id)
        match job["status"] if job else "FORGOTTEN":
            case "SUCCEEDED":
                return RunEvent.SUCCEED
            case "FORGOTTEN":
                return RunEvent.FAIL
            case "FAILED" if run.replaced_by is not None:
                return RunEvent.REPLACE
            case "FAILED":
                return self._follow_failure(job_id, job or {}, now)
            case _:
                return None

    def _follow_failure(
        self, job_id: str, job: dict[str, Any], now: datetime
    ) -> RunEvent | str | None:
        """Return what became of a job that failed: given up, submitted again, or undecided."""
        row = self.ledger.get(f"batch:{job_id}")
        if row is None:
            is_late = now.timestamp() > job.get("stoppedAt", 0) / 1000 + EVENT_COMES_WITHIN_S
            return RunEvent.FAIL if is_late else None
        if row.state is State.SUCCEEDED and row.result is not None:
            successor: str = json.loads(row.result)["jobId"]
            return successor
        return RunEvent.FAIL if row.state is State.DEAD_LETTERED else None
