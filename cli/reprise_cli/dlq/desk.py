"""Work at a dead-letter queue: look through it, and redrive what is meant."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from reprise.aws.keys import SecretKeys, secret_name
from reprise.aws.s3 import S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.capturing.signature import OPERATOR
from reprise.errors import StoreError
from reprise.instant import utc_now
from reprise_cli.dlq.browser import Browser
from reprise_cli.dlq.edit import DryRunWriter, Edit
from reprise_cli.dlq.letter import Letter, Selection, select
from reprise_cli.dlq.redrive import Redriver, RedriveResult
from reprise_cli.dlq.undeliverable import Finder
from reprise_cli.exits import CommandError
from reprise_cli.output import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App
    from reprise_cli.dlq.edit import PayloadWriter


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


def redrive_selected(
    reprise: App, queue: Which, selection: Selection, payload: bytes | None = None
) -> list[RedriveResult]:
    """Redrive the letters that are meant, batch by batch, and return what became of each.

    Raises:
        CommandError: If the key to sign a payload with may not be read.
    """
    started_at = utc_now()
    results: list[RedriveResult] = []
    seen: set[str] = set()
    with (
        reprise.out.progress("redriving dead letters") as advance,
        _browser(reprise, queue) as browser,
    ):
        redriver = _redriver(reprise, queue, browser, payload)
        for found in browser.letters():
            batch = _settled(reprise, found)
            # What came back dead since we began has had its turn.
            meant = [
                letter
                for letter in select(batch, selection, started_at)
                if letter.id not in seen or letter.at < started_at
            ]
            seen |= {letter.id for letter in meant}
            if meant:
                results += redriver.run(meant)
                advance(len(meant))
            if selection.ids and selection.ids <= seen:
                break
    _note_unverified(reprise, redriver)
    return results


def dry_run_selected(
    reprise: App, queue: Which, selection: Selection, payload: bytes | None = None
) -> list[RedriveResult]:
    """Return what a redrive would make of the letters that are meant; they stay in the queue.

    Raises:
        CommandError: If the key to sign a payload with may not be read.
    """
    letters = select(peek(reprise, queue, None, selection), selection, utc_now())
    browser = _browser(reprise, queue)
    redriver = _redriver(reprise, queue, browser, payload, is_dry_run=True)
    results = redriver.dry_run(letters)
    _note_unverified(reprise, redriver)
    return results


def _redriver(
    reprise: App,
    queue: Which,
    letters: Browser,
    payload: bytes | None,
    *,
    is_dry_run: bool = False,
) -> Redriver:
    stack = reprise.stack
    back_to = stack.replay_queue_url if queue is Which.CALLS else stack.capture_queue_url
    edit = None
    if payload is not None:
        writer: PayloadWriter = S3Objects(reprise.aws.s3, stack.bucket)
        edit = _edit(reprise, payload, DryRunWriter(bucket=stack.bucket) if is_dry_run else writer)
    return Redriver(
        ledger=reprise.ledger,
        queue=SqsQueue(reprise.aws.sqs, back_to),
        letters=letters,
        keys=reprise.keyring,
        clock=utc_now,
        edit=edit,
    )


def _note_unverified(reprise: App, redriver: Redriver) -> None:
    if redriver.unverified:
        count = counted(len(redriver.unverified), "letter")
        reprise.out.note(
            f"{count} could not be verified here, since the keys of their sources may not be read "
            f"({secret_name(reprise.stack.name, '*')}): the replayer verifies each before it invokes"
        )


def _edit(reprise: App, payload: bytes, writer: PayloadWriter) -> Edit:
    """Return what replaces a payload, signed by the operators' key."""
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
