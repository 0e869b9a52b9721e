"""Work at a dead-letter queue: look through it, and redrive what is meant."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from reprise.aws.keys import SecretKeys, secret_name
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.capturing.signature import OPERATOR
from reprise.errors import StoreError
from reprise.instant import parse_instant, utc_now
from reprise.retry.decision import Reason
from reprise_cli.dlq.browser import Browser
from reprise_cli.dlq.discard import Discarder
from reprise_cli.dlq.edit import DryRunWriter, Edit
from reprise_cli.dlq.job import LetterJob, LetterVerb, Planned, first, planned
from reprise_cli.dlq.job_store import LetterJobStore
from reprise_cli.dlq.letter import Letter, Selection, select
from reprise_cli.dlq.pace import Pacer
from reprise_cli.dlq.redrive import Redriver, RedriveResult
from reprise_cli.dlq.run import LetterJobRun
from reprise_cli.dlq.undeliverable import Finder
from reprise_cli.exits import CommandError
from reprise_cli.output import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise_cli.app import App
    from reprise_cli.dlq.edit import PayloadWriter
    from reprise_cli.dlq.redrive import Letters


class Which(StrEnum):
    """The two dead-letter queues."""

    CALLS = "calls"
    CAPTURE = "capture"


def peek(
    reprise: App, queue: Which, limit: int | None, until: Selection | None = None
) -> list[Letter]:
    """Return a queue's letters and give them back at once; calls that SQS gave up are ended in the ledger.

    At most `limit` are looked at, if there is one, and none more once all ids of `until` were seen.
    """
    letters: list[Letter] = []
    wanted = set(until.ids) if until is not None else set()
    with (
        reprise.out.progress("looking through the dead-letter queue") as advance,
        _browser(reprise, queue) as browser,
    ):
        for found in browser.letters():
            batch = _settled(reprise, found)
            letters += batch
            advance(len(batch))
            seen = {name for letter in batch for name in (letter.id, letter.message_id)}
            if wanted and not (wanted := wanted - seen):
                break
            if limit is not None and len(letters) >= limit:
                looked_at = counted(len(letters), "letter")
                reprise.out.note(f"looked at {looked_at}: there may be more (--limit)")
                break
    return letters


def survey(reprise: App, queue: Which, selection: Selection) -> Survey:
    """Look through a queue, and return which letters are meant; they are given back at once.

    Of a letter only what a job remembers is kept in memory.
    """
    now = utc_now()
    meant: list[Planned] = []
    targets: set[str] = set()
    unknown = seen = 0
    left = set(selection.ids)
    with (
        reprise.out.progress("looking through the dead-letter queue") as advance,
        _browser(reprise, queue) as browser,
    ):
        for found in browser.letters():
            batch = _settled(reprise, found)
            seen += len(batch)
            advance(len(batch))
            targets |= {letter.target for letter in batch}
            taken = select(batch, selection, now)
            meant += [planned(letter) for letter in taken]
            unknown += sum(letter.reason == Reason.UNKNOWN for letter in taken)
            left -= {name for letter in batch for name in (letter.id, letter.message_id)}
            if selection.ids and not left:
                break
    return Survey(
        letters=first(meant, selection.max_count),
        seen=seen,
        targets=targets - {""},
        missing=frozenset(left),
        has_unknown=unknown > 0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a look through a queue found."""

    letters: list[Planned]
    """Those that are meant, the oldest first."""
    seen: int
    targets: set[str]
    """Of all that were seen."""
    missing: frozenset[str]
    """Ids that were asked for and not seen."""
    has_unknown: bool
    """Whether a call that is meant may have run already."""


def job_store(reprise: App) -> LetterJobStore:
    """Return the stack's jobs."""
    bucket = reprise.stack.bucket
    return LetterJobStore(
        objects=S3Objects(reprise.aws.s3, bucket),
        listing=S3Listing(reprise.aws.s3, bucket),
        bucket=bucket,
    )


def job_run(
    reprise: App,
    job: LetterJob,
    *,
    edit: Edit | None = None,
    canary_wait_s: float = 300.0,
    advance: Callable[[int], None],
    unverified: list[Letter],
) -> LetterJobRun:
    """Return what runs a job."""
    queue, by = Which(job.queue), reprise.operator
    note = f"discarded at {job.started_at} by {job.by}: {job.why} (job {job.id})"

    def handler(letters: Letters) -> Redriver | Discarder:
        if job.verb is LetterVerb.DISCARD:
            return Discarder(ledger=reprise.ledger, letters=letters, note=note)
        return _redriver(reprise, queue, letters, edit, since=job.started_at, unverified=unverified)

    return LetterJobRun(
        job=job,
        by=by,
        store=job_store(reprise),
        look=lambda: _browser(reprise, queue),
        handler=handler,
        prepare=lambda batch: _settled(reprise, batch),
        rows=reprise.ledger,
        pacer=Pacer(rate_per_s=job.rate_per_s, monotonic=time.monotonic, sleep=time.sleep),
        clock=utc_now,
        monotonic=time.monotonic,
        sleep=time.sleep,
        advance=advance,
        note=reprise.out.note,
        canary_wait_s=canary_wait_s,
    )


def dry_run_selected(
    reprise: App, queue: Which, selection: Selection, payload: bytes | None = None
) -> list[RedriveResult]:
    """Return what a redrive would make of the letters that are meant; they stay in the queue.

    Raises:
        CommandError: If the key to sign a payload with may not be read.
    """
    letters = select(peek(reprise, queue, None, selection), selection, utc_now())
    letters = sorted(letters, key=lambda letter: letter.at)[: selection.max_count]
    edit = None
    if payload is not None:
        edit = make_edit(reprise, payload, DryRunWriter(bucket=reprise.stack.bucket))
    unverified: list[Letter] = []
    redriver = _redriver(reprise, queue, _browser(reprise, queue), edit, unverified=unverified)
    results = redriver.dry_run(letters)
    note_unverified(reprise, unverified)
    return results


def _redriver(
    reprise: App,
    queue: Which,
    letters: Letters,
    edit: Edit | None,
    *,
    unverified: list[Letter],
    since: str | None = None,
) -> Redriver:
    stack = reprise.stack
    back_to = stack.replay_queue_url if queue is Which.CALLS else stack.capture_queue_url
    return Redriver(
        ledger=reprise.ledger,
        queue=SqsQueue(reprise.aws.sqs, back_to),
        letters=letters,
        keys=reprise.keyring,
        # A laptop's clock may be set back meanwhile: what a job opens, it opens after its beginning.
        clock=lambda: utc_now() if since is None else max(utc_now(), parse_instant(since)),
        edit=edit,
        since=since,
        unverified=unverified,
    )


def note_unverified(reprise: App, unverified: Sequence[Letter]) -> None:
    """Say of how many letters nothing could be verified here."""
    if unverified:
        count = counted(len(unverified), "letter")
        reprise.out.note(
            f"{count} could not be verified here, since the keys of their sources may not be read "
            f"({secret_name(reprise.stack.name, '*')}): the replayer verifies each before it invokes"
        )


def make_edit(reprise: App, payload: bytes, writer: PayloadWriter | None = None) -> Edit:
    """Return what replaces a payload, signed by the operators' key.

    Raises:
        CommandError: If that may not be read.
    """
    writer = writer or S3Objects(reprise.aws.s3, reprise.stack.bucket)
    name = secret_name(reprise.stack.name, OPERATOR)
    try:
        keys = SecretKeys(reprise.aws.secrets, name).keys()
    except StoreError as error:
        raise CommandError(
            "--payload",
            f"secret {name!r} cannot be read: {error.code}",
            "Only who may read it may edit calls: see the stack's output OperatorSecretArn",
        ) from error
    return Edit(data=payload, keys=keys, objects=writer)


def _settled(reprise: App, batch: Sequence[Letter]) -> list[Letter]:
    """End calls in the ledger whose messages SQS moved here; what cannot be told now is told later."""
    finder = Finder(
        ledger=reprise.ledger, keys=reprise.keyring, clock=utc_now, name=uuid.uuid4().hex
    )
    settled: list[Letter] = []
    for letter in batch:
        try:
            settled.append(finder.settle(letter))
        except StoreError as error:
            reprise.out.note(f"{letter.id}: the ledger was not told that SQS gave it up: {error}")
            settled.append(letter)
    return settled


def _browser(reprise: App, queue: Which) -> Browser:
    stack, is_capture = reprise.stack, queue is Which.CAPTURE
    url = stack.capture_dlq_url if is_capture else stack.dead_letter_queue_url
    return Browser(reprise.aws.sqs, url, is_capture=is_capture)
