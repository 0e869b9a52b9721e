"""What the runner needs from the world, as Protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

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
