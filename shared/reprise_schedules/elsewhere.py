"""Batch jobs that are going, but as no run that we know of; and what if Batch does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.instant import parse_instant
from reprise_schedules.decision import Start, Wait
from reprise_schedules.run import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from reprise_schedules.ports import GoingJob
    from reprise_schedules.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Batch jobs that are going, but as no run that we know of."""

    own: tuple[str, ...] = ()
    """Ids of those that earlier runs of the job became."""
    others: tuple[str, ...] = ()
    """Ids of those that somebody else submitted, by hand for instance."""

    @property
    def message(self) -> str | None:
        """Return which one is in the way; None if there is none."""
        if self.others:
            return f"batch job {self.others[0]}, which no run of this job submitted, is still going"
        return f"batch job {self.own[0]} of an earlier run is still going" if self.own else None


NOWHERE: Final = Elsewhere()


def elsewhere_of(going: Iterable[GoingJob], job: str) -> Elsewhere:
    """Return what of the jobs that are going concerns a scheduled job: its own, and those of no schedule."""
    seen = list(going)
    return Elsewhere(
        own=tuple(each.job_id for each in seen if each.scheduled_job == job),
        others=tuple(each.job_id for each in seen if each.scheduled_job is None),
    )


ASK_FOR_S: Final = 600.0
"""How long a run waits for Batch to say which jobs are going, before it starts by what we know ourselves."""
ASK_AGAIN_S: Final = 20.0
_MAY_NOT: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})


def without_answer(run: Run, code: str, now: datetime) -> Start | Wait:
    """Return what becomes of a run that could start if only Batch said which jobs are going.

    It waits: who does not ask may run twice. It does not wait for ever: who never starts is no better. And
    where nobody may ask, as before the add-on batch is deployed anew, it does not wait at all.

    Args:
        run: The run, as it stands.
        code: How asking failed.
        now: The present.
    """
    since = run.asking_since
    is_over = since is not None and (now - parse_instant(since)).total_seconds() >= ASK_FOR_S
    if code in _MAY_NOT or is_over:
        return Start(
            note=f"Batch did not say which jobs are going ({code}): only runs were looked at"
        )
    return Wait(wait_s=ASK_AGAIN_S, is_queued=run.state is not RunState.QUEUED, is_asking=True)
