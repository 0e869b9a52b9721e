"""What the runner needs from the world, as Protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reprise.call.request import CallRequest
    from reprise_schedules.run import JobState, Run, RunEvent


class JobStore(Protocol):
    """Keeps what is known of each job."""

    def read(self, job: str) -> JobState:
        """Return a job as it is now; one that is not known has no runs.

        Raises:
            StoreError: If it cannot be read now.
        """

    def write(self, job: str, state: JobState) -> JobState | None:
        """Write a state computed from its `version`; return None, or what is there instead.

        Raises:
            StoreError: If it cannot be written now.
        """


class ResolveRun(Protocol):
    """Finds out how something ended that goes on by itself."""

    def __call__(self, run: Run, now: datetime, /) -> RunEvent | str | None:
        """Return how it ended, or the name it goes on by, or None while it goes on.

        Raises:
            StoreError: If nobody can tell now.
        """


class GoingJob(Protocol):
    """A batch job that has not ended."""

    @property
    def job_id(self) -> str:
        """Its id."""

    @property
    def scheduled_job(self) -> str | None:
        """The scheduled job of which it is a run; None if somebody else submitted it."""


class Begun(Protocol):
    """What calls begin that goes on by itself: batch jobs."""

    def going(self, request: CallRequest, /) -> Sequence[GoingJob]:
        """Return the jobs like the one that a call would submit that have not ended, whoever submitted them.

        Raises:
            StoreError: If nobody can tell now.
        """

    def end(self, job_id: str, reason: str, /) -> None:
        """Have a job ended; one that has ended already is fine.

        Raises:
            StoreError: If that cannot be asked for now.
        """
