"""Tell of jobs that were given up: a line each, and in a storm one that says how many more."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise.events import Event, JobFailed, MoreJobsFailed
from reprise.monitor.incidents import plain

if TYPE_CHECKING:
    from reprise.aws.event_bus import EventBus
    from reprise.given_up import GivenUpJob, JobBook, UntoldJobs

_DEFAULT_STACK: Final = "reprise"
"""The stack that the command takes if it is told of none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJobs:
    """Tells, once a minute."""

    stack: str
    book: JobBook
    bus: EventBus

    def check(self) -> None:
        """Tell of what is in the book, and take it out.

        In this order: whoever dies between tells again, the same jobs by the same ids.

        Raises:
            StoreError: If the bus does not take all of it, or the book cannot be asked.
        """
        untold = self.book.read()
        events = events_of(self.stack, untold)
        if not events:
            return
        if self.bus.put(events):
            raise StoreError("events", "PutEvents", "Failed", "a failed job was not taken")
        self.book.take(untold)


def events_of(stack: str, untold: UntoldJobs) -> list[Event]:
    """Return an event for each job that is named, and one for all others."""
    more = "" if stack == _DEFAULT_STACK else f" --stack-name {stack}"
    events: list[Event] = [_event_of(stack, job, more) for job in untold.jobs]
    if untold.count:
        counted = (
            f"{untold.count} more jobs failed" if untold.jobs else f"{untold.count} jobs failed"
        )
        events.append(
            MoreJobsFailed(
                stack=stack,
                count=untold.count,
                summary=f"{stack}: {counted}, too many to name",
                command=f"reprise dlq list{more}",
            )
        )
    return events


def _event_of(stack: str, job: GivenUpJob, more: str) -> JobFailed:
    name, reason = plain(job.job), plain(job.reason)
    command = f"schedule history {name}" if job.id is None else "dlq list"
    if job.id is not None and not job.is_keyed:
        command = f"calls show {plain(shlex.quote(job.id))}"
    return JobFailed(
        stack=stack,
        job=name,
        reason=reason,
        attempts=job.attempts,
        id=job.id,
        function=job.function,
        summary=f"{stack}: {name} failed by {reason}. Attempts: {job.attempts}",
        command=f"reprise {command}{more}",
    )
