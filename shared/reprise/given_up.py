"""Jobs that were given up, each by its name and its reason, until somebody was told of them.

A job is a target's own run that failed (`FailureEvents`), a call of such a target, or a call that a schedule
made. What is told holds no payload and no error's text of a function: a job's name, codes, and AWS's own
reason. The observer tells (`monitor.failed_jobs`): whoever gives jobs up runs many times at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.target_type import FUNCTION, TargetType, type_of

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.ledger import Row

LINES_A_MINUTE: Final = 9
"""Jobs that are named between two looks of the observer; all others are only counted.

With the line that counts them they fit one PutEvents, of ten.
"""
SCHEDULES: Final = "schedules"
"""The source that captures calls of schedules: the add-on's."""
_MAX_REASON_CHARS: Final = 200
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")


class GivenUpJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job that was given up."""

    job: str
    """Its name: of the Batch job, of the schedule, or of the definition."""
    reason: str
    attempts: int
    id: str | None = None
    """The call; none if a scheduled run could not even be made."""
    function: str
    """ARN of the target; empty likewise."""
    is_keyed: bool = False
    """Whether its id holds a caller's own key, which people are not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UntoldJobs:
    """What nobody was told of yet."""

    jobs: tuple[GivenUpJob, ...] = ()
    count: int = 0
    """Of all, those that are not named among them."""


class JobBook(Protocol):
    """Keeps jobs that were given up, at most `LINES_A_MINUTE` of them by name."""

    def add(self, job: GivenUpJob) -> None:
        """Keep a job; one that is kept already is kept once.

        Raises:
            StoreError: If it is not known to be kept.
        """

    def read(self) -> UntoldJobs:
        """Return what is kept now.

        Raises:
            StoreError: If it cannot be read.
        """

    def take(self, told: UntoldJobs) -> None:
        """Keep no longer what was read, and told.

        Raises:
            StoreError: If it may still be kept: it is told again.
        """


class JobTeller(Protocol):
    """Takes calls that were given up."""

    def tell(self, record: Record, row: Row, last: Outcome) -> None:
        """Keep the job that a call is, if it is one, for whoever is told.

        Raises:
            StoreError: If it must be told again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedJobs:
    """Keeps them in a book."""

    book: JobBook
    types: tuple[TargetType, ...] = field(default=(FUNCTION,))

    def tell(self, record: Record, row: Row, last: Outcome) -> None:
        """Keep the job that a call is, if it is one, for whoever is told."""
        found = job_of(record, row, last, self.types)
        if found is not None:
            self.book.add(found)


class _NoJobs:
    def tell(self, record: Record, row: Row, last: Outcome) -> None:
        """Tell nobody."""


NULL_JOBS: Final = _NoJobs()
"""Tells nobody."""


def job_of(
    record: Record, row: Row, last: Outcome, types: tuple[TargetType, ...]
) -> GivenUpJob | None:
    """Return the job that a call is which was given up; None if it is a call like any other.

    Args:
        record: The call as captured.
        row: Its row.
        last: How its last try ended that is known of.
        types: Of targets.
    """
    found = type_of(record.target.function, types)
    events = None if found is None else found.failures
    key = record.idempotency_key if isinstance(record.idempotency_key, str) else ""
    is_scheduled = record.source.name == SCHEDULES
    if events is None and not is_scheduled:
        return None
    name, reason = record.target.name.rpartition("/")[2], _in_codes(last)
    failed = None if events is None else events.describe(record)
    if failed is not None:
        name, reason = failed
        if last.code != record.outcome.code:
            reason = f"{reason}; {_in_codes(last)}"
    elif is_scheduled:
        name = key.rpartition("@")[0] or name
    return GivenUpJob(
        job=name,
        reason=reason[:_MAX_REASON_CHARS],
        attempts=row.attempts,
        id=row.id,
        function=record.target.function,
        is_keyed=bool(key) and not is_scheduled,
    )


def _in_codes(outcome: Outcome) -> str:
    """Return how a try ended without its text, which may quote a payload."""
    if outcome.kind is OutcomeKind.SUCCEEDED:
        return outcome.kind.value
    code = outcome.code or ""
    return f"{outcome.kind.value}: {code}" if _CODE.fullmatch(code) else outcome.kind.value
