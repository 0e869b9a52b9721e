"""What work at a stack's dead-letter queues takes, put together once for the command and for the stack."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.aws.sqs import SqsQueue
from reprise.errors import StoreError
from reprise.instant import parse_instant, utc_now
from reprise_letters.browser import Browser
from reprise_letters.discard import Discarder
from reprise_letters.job import LetterQueue, LetterVerb
from reprise_letters.pace import Pacer
from reprise_letters.redrive import Redriver
from reprise_letters.run import LetterJobRun
from reprise_letters.undeliverable import Finder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_sqs import SQSClient

    from reprise.aws.ledger_table import LedgerTable
    from reprise.capturing.record import Record
    from reprise.ports import Keyring
    from reprise_letters.job import LetterJob
    from reprise_letters.letter import Letter
    from reprise_letters.ports import JobKeeper
    from reprise_letters.redrive import Letters

    type Edit = Callable[[Record], Record]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueUrls:
    """Where letters lie, and where they come from."""

    dead_letters: str
    replay: str
    capture_dead_letters: str
    capture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterTools:
    """Makes what looks through dead-letter queues, and what redrives and discards."""

    sqs: SQSClient
    ledger: LedgerTable
    keys: Keyring
    urls: QueueUrls

    def browser(self, queue: LetterQueue) -> Browser:
        """Return one look through a queue."""
        is_capture = queue is LetterQueue.CAPTURE
        url = self.urls.capture_dead_letters if is_capture else self.urls.dead_letters
        return Browser(self.sqs, url, is_capture=is_capture)

    def settled(self, batch: Sequence[Letter]) -> list[Letter]:
        """End calls in the ledger whose messages SQS moved here; what cannot be told now is told later."""
        finder = Finder(ledger=self.ledger, keys=self.keys, clock=utc_now, name=uuid.uuid4().hex)
        settled: list[Letter] = []
        for letter in batch:
            try:
                settled.append(finder.settle(letter))
            except StoreError as error:
                _log.warning(
                    "%s: the ledger was not told that SQS gave it up: %s", letter.id, error
                )
                settled.append(letter)
        return settled

    def redriver(
        self,
        queue: LetterQueue,
        letters: Letters,
        *,
        since: str | None = None,
        edit: Edit | None = None,
        unverified: list[Letter],
    ) -> Redriver:
        """Return what brings letters back."""
        back_to = self.urls.replay if queue is LetterQueue.CALLS else self.urls.capture
        return Redriver(
            ledger=self.ledger,
            queue=SqsQueue(self.sqs, back_to),
            letters=letters,
            keys=self.keys,
            # A laptop's clock may be set back meanwhile: what a job opens, it opens after its beginning.
            clock=lambda: utc_now() if since is None else max(utc_now(), parse_instant(since)),
            edit=edit,
            since=since,
            unverified=unverified,
        )

    def run(
        self,
        job: LetterJob,
        *,
        by: str,
        store: JobKeeper,
        edit: Edit | None = None,
        unverified: list[Letter],
    ) -> LetterJobRun:
        """Return what runs a job."""
        queue = LetterQueue(job.queue)
        note = f"discarded at {job.started_at} by {job.by}: {job.why} (job {job.id})"

        def handler(letters: Letters) -> Redriver | Discarder:
            if job.verb is LetterVerb.DISCARD:
                return Discarder(ledger=self.ledger, letters=letters, note=note)
            return self.redriver(
                queue, letters, since=job.started_at, edit=edit, unverified=unverified
            )

        return LetterJobRun(
            job=job,
            by=by,
            store=store,
            browse=lambda: self.browser(queue),
            handler=handler,
            prepare=self.settled,
            rows=self.ledger,
            pacer=Pacer(rate_per_s=job.rate_per_s, monotonic=time.monotonic, sleep=time.sleep),
            clock=utc_now,
            monotonic=time.monotonic,
            sleep=time.sleep,
        )
