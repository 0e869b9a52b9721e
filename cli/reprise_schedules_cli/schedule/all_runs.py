"""All runs of all jobs as one list: what the runner wrote down, and what Batch knows besides; pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise.instant import format_instant
from reprise_schedules.run import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reprise_batch.look import SeenJob
    from reprise_schedules.run import JobState


class By(StrEnum):
    """Who began a run."""

    SCHEDULE = "schedule"
    HAND = "hand"
    """Somebody submitted the batch job, by hand or from elsewhere."""
    REPLAY = "replay"
    """We submitted the batch job in the place of one that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """One run of the list."""

    at: str
    """When it was due, or its batch job submitted: ISO 8601."""
    job: str
    """The scheduled job's name; the batch job's where no schedule began it."""
    state: RunState
    by: By
    since: str = ""
    call_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSelection:
    """Which runs are listed."""

    states: frozenset[RunState] = frozenset()
    """Empty for all."""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, run: ListedRun) -> bool:
        """Tell whether a run is listed."""
        return (
            (not self.states or run.state in self.states)
            and (self.since is None or run.at >= format_instant(self.since))
            and (self.until is None or run.at <= format_instant(self.until))
        )


_ENDS: Final = {"SUCCEEDED": RunState.SUCCEEDED, "FAILED": RunState.FAILED}


def list_runs(
    states: Mapping[str, JobState], seen: Iterable[SeenJob], selection: RunSelection
) -> list[ListedRun]:
    """Return the runs of jobs and the batch jobs that are like theirs, each once, the newest first.

    Args:
        states: What the runner wrote down, by job.
        seen: What Batch knows of such jobs.
        selection: Which are listed.
    """
    listed = [
        ListedRun(
            at=run.scheduled_at,
            job=job,
            state=run.state,
            by=By.SCHEDULE,
            since=run.changed_at,
            call_id=run.call_id,
            message=run.message,
        )
        for job, state in states.items()
        for run in state.runs
    ]
    known = {run.call_id for run in listed}
    others = {
        each.job_id: each
        for each in seen
        if each.job_id not in known and each.scheduled_job in {None, *states}
    }
    listed += [_from_batch(each) for each in others.values()]
    chosen = [run for run in listed if selection.takes(run)]
    return sorted(chosen, key=lambda run: (run.at, run.job), reverse=True)


def _from_batch(seen: SeenJob) -> ListedRun:
    begun_by = By.HAND if seen.scheduled_job is None else By.SCHEDULE
    return ListedRun(
        at=format_instant(datetime.fromtimestamp(seen.created_at_ms / 1000, UTC)),
        job=seen.scheduled_job or seen.name,
        state=_ENDS.get(seen.status, RunState.SUBMITTED),
        by=By.REPLAY if seen.is_again else begun_by,
        call_id=seen.job_id,
        message=seen.reason,
    )
