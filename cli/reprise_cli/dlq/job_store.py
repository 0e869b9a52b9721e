"""Keep jobs in the stack's bucket, below `audit/`: what they meant, and what became of it.

`audit/ID/letters.json` and `job.json` are written before anything is touched, the second last: a job is there
if that is. Each `outcomes/INSTANT-CHANCE.json` adds to them; none is ever written again, so that two runs of
one job, and a run that was cut short, take nothing from each other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise.call.payload import ClaimCheck
from reprise.errors import ObjectMissingError
from reprise.instant import parse_instant
from reprise_cli.dlq.job import LetterJob, LetterOutcome, LetterVerb, Planned, Segment
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reprise.monitor.reconcile import Page

PREFIX: Final = "audit/"
_LONGEST_JOB: Final = timedelta(days=1)
_LOOKED_AT: Final = 5


class JobObjects(Protocol):
    """Keeps bytes."""

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key."""

    def get(self, claim_check: ClaimCheck) -> bytes:
        """Return what is kept."""


class JobListing(Protocol):
    """Lists keys."""

    def page(self, prefix: str, after: str) -> Page:
        """Return the objects below a prefix whose keys come after a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterJobStore:
    """The jobs of one stack."""

    objects: JobObjects
    listing: JobListing
    bucket: str

    def begin(self, job: LetterJob, letters: Sequence[Planned]) -> None:
        """Keep what a job means, before it touches anything.

        Raises:
            StoreError: If it is not kept: the job must not begin.
        """
        self.objects.put(f"{PREFIX}{job.id}/letters.json", msgspec.json.encode(letters))
        self.objects.put(f"{PREFIX}{job.id}/job.json", msgspec.json.encode(job))

    def add(self, job: LetterJob, segment: Segment) -> None:
        """Keep a piece of what became of it.

        Raises:
            StoreError: If it is not kept.
        """
        name = f"{segment.at}-{os.urandom(4).hex()}"
        self.objects.put(f"{PREFIX}{job.id}/outcomes/{name}.json", msgspec.json.encode(segment))

    def job(self, job_id: str) -> LetterJob:
        """Return a job.

        Raises:
            CommandError: If there is none of this id.
            StoreError: If it cannot be read.
        """
        try:
            return msgspec.json.decode(self._get(f"{job_id}/job.json"), type=LetterJob)
        except ObjectMissingError as error:
            raise CommandError(
                "JOB", f"there is no job {job_id!r}", "Look at `reprise audit`"
            ) from error

    def letters(self, job_id: str) -> list[Planned]:
        """Return the letters that a job means."""
        return msgspec.json.decode(self._get(f"{job_id}/letters.json"), type=list[Planned])

    def segments(self, job_id: str) -> list[Segment]:
        """Return what became of it, the oldest piece first."""
        keys = self._keys(f"{PREFIX}{job_id}/outcomes/")
        return [self._segment(key) for key in keys]

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
            is_it = job.verb is LetterVerb.REDRIVE and job.started_at <= opened_at
            if is_it and any(letter.id == call_id for letter in self.letters(one)):
                return job
        return None

    def _get(self, name: str) -> bytes:
        return self.objects.get(ClaimCheck(bucket=self.bucket, key=f"{PREFIX}{name}"))

    def _segment(self, key: str) -> Segment:
        data = self.objects.get(ClaimCheck(bucket=self.bucket, key=key))
        return msgspec.json.decode(data, type=Segment)

    def _keys(self, prefix: str, after: str = "") -> Iterator[str]:
        while True:
            page = self.listing.page(prefix, after)
            keys = sorted(page.modified_at_s)
            yield from keys
            if page.is_last or not keys:
                return
            after = keys[-1]
