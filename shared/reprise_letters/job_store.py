"""Keep jobs in the stack's bucket, below `audit/`: what they meant, and what became of it.

`audit/ID/letters.json` and `job.json` are written before anything is touched: a job is there if the second
is, and its letters are known if the first is. Each `outcomes/INSTANT-CHANCE.json` adds to them; none is ever
written again, so that two runs of one job, and a run that was cut short, take nothing from each other.

Of a job that the stack runs `heartbeat.json` says who is at it, and `cancel.json` that it is to stop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise.call.payload import ClaimCheck
from reprise.errors import ObjectMissingError, RepriseError
from reprise.instant import parse_instant
from reprise.monitor.reconcile import walk
from reprise_letters.job import LetterJob, LetterOutcome, LetterVerb, Planned, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reprise.monitor.reconcile import Listing


PREFIX: Final = "audit/"
_LONGEST_JOB: Final = timedelta(days=1)
_LOOKED_AT: Final = 5
_OPEN: Final = frozenset({LetterVerb.REDRIVE, LetterVerb.REPLAY})
"""What opens calls that were given up."""


class NoSuchJobError(RepriseError):
    """There is no job of this id."""

    def __init__(self, job_id: str) -> None:
        """Name it."""
        super().__init__(f"there is no job {job_id!r}")


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life of the run that is at a job."""

    run: str
    """Unique."""
    message_id: str
    """Of the message that it was started by."""
    until: str
    """It is at it until then, unless it says so again."""
    doing: str


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """A word that a job is to stop."""

    at: str
    by: str
    why: str = ""


class JobObjects(Protocol):
    """Keeps bytes."""

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key."""

    def get(self, claim_check: ClaimCheck) -> bytes:
        """Return what is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterJobStore:
    """The jobs of one stack."""

    objects: JobObjects
    listing: Listing
    bucket: str

    def begin(self, job: LetterJob, letters: Sequence[Planned]) -> None:
        """Keep what a job means, before it touches anything.

        Raises:
            StoreError: If it is not kept: the job must not begin.
        """
        self.plan(job.id, letters)
        self.announce(job)

    def announce(self, job: LetterJob) -> None:
        """Keep a job whose letters the stack will look for.

        Raises:
            StoreError: If it is not kept.
        """
        self._put(job.id, "job", job)

    def plan(self, job_id: str, letters: Sequence[Planned]) -> None:
        """Keep which letters a job means.

        Raises:
            StoreError: If they are not kept.
        """
        self._put(job_id, "letters", letters)

    def add(self, job_id: str, segment: Segment) -> None:
        """Keep a piece of what became of it.

        Raises:
            StoreError: If it is not kept.
        """
        name = f"{segment.at}-{os.urandom(4).hex()}"
        self.objects.put(f"{PREFIX}{job_id}/outcomes/{name}.json", msgspec.json.encode(segment))

    def job(self, job_id: str) -> LetterJob:
        """Return a job.

        Raises:
            NoSuchJobError: If there is none of this id.
            StoreError: If it cannot be read.
        """
        try:
            return msgspec.json.decode(self._get(f"{job_id}/job.json"), type=LetterJob)
        except ObjectMissingError as error:
            raise NoSuchJobError(job_id) from error

    def letters(self, job_id: str) -> list[Planned]:
        """Return the letters that a job means; none if they are not known yet."""
        return self._read(job_id, "letters", list[Planned]) or []

    def is_planned(self, job_id: str) -> bool:
        """Tell whether a job's letters are known."""
        return self._read(job_id, "letters", msgspec.Raw) is not None

    def cancel(self, job_id: str, cancel: Cancel) -> None:
        """Say that a job is to stop."""
        self._put(job_id, "cancel", cancel)

    def cancelled(self, job_id: str) -> Cancel | None:
        """Return who said last that a job is to stop, if anybody did."""
        return self._read(job_id, "cancel", Cancel)

    def heartbeat(self, job_id: str, heartbeat: Heartbeat) -> None:
        """Say that a run is at a job."""
        self._put(job_id, "heartbeat", heartbeat)

    def last_heartbeat(self, job_id: str) -> Heartbeat | None:
        """Return what a run said last, if one ever did."""
        return self._read(job_id, "heartbeat", Heartbeat)

    def segments(self, job_id: str) -> Iterator[Segment]:
        """Yield what became of it, the oldest piece first, a request each."""
        for key in self._keys(f"{PREFIX}{job_id}/outcomes/"):
            yield self._segment(key)

    def last_segment(self, job_id: str) -> Segment | None:
        """Return how it stands; None if no piece was kept yet."""
        keys = list(self._keys(f"{PREFIX}{job_id}/outcomes/"))
        return self._segment(keys[-1]) if keys else None

    def outcomes(self, job_id: str) -> list[LetterOutcome]:
        """Return what became of letters, in order."""
        return [one for segment in self.segments(job_id) for one in segment.outcomes]

    def ids(self, after: str = "") -> Iterator[str]:
        """Yield the ids of jobs, the oldest first, from an id or a beginning of one."""
        start = f"{PREFIX}{after}" if after else ""
        for key in self._keys(PREFIX, start):
            name, _, rest = key.removeprefix(PREFIX).partition("/")
            if rest == "job.json":
                yield name

    def redrive_of(self, call_id: str, opened_at: str) -> LetterJob | None:
        """Return the job that opened a call; None if none that began within a day before did.

        Looks at the newest few: two requests for each, of which the larger grows with its letters.
        """
        at = parse_instant(opened_at)
        since = list(self.ids(f"{at - _LONGEST_JOB:%Y%m%dT%H%M%SZ}"))
        until = f"{at:%Y%m%dT%H%M%SZ}~"
        for one in [one for one in since if one <= until][: -_LOOKED_AT - 1 : -1]:
            job = self.job(one)
            is_it = job.verb in _OPEN and job.started_at <= opened_at
            if is_it and any(letter.id == call_id for letter in self.letters(one)):
                return job
        return None

    def _put(self, job_id: str, name: str, document: object) -> None:
        self.objects.put(f"{PREFIX}{job_id}/{name}.json", msgspec.json.encode(document))

    def _read[T](self, job_id: str, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(self._get(f"{job_id}/{name}.json"), type=kind)
        except ObjectMissingError:
            return None

    def _get(self, name: str) -> bytes:
        return self.objects.get(ClaimCheck(bucket=self.bucket, key=f"{PREFIX}{name}"))

    def _segment(self, key: str) -> Segment:
        data = self.objects.get(ClaimCheck(bucket=self.bucket, key=key))
        return msgspec.json.decode(data, type=Segment)

    def _keys(self, prefix: str, after: str = "") -> Iterator[str]:
        return (key for key, _ in walk(self.listing, prefix, after))
