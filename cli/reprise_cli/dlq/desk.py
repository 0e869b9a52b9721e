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
from reprise_cli.dlq.edit import Edit
from reprise_cli.dlq.letter import Letter, Selection, select
from reprise_cli.dlq.redrive import Redriver, RedriveResult
from reprise_cli.dlq.undeliverable import Finder
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App


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
                reprise.out.note(f"looked at {len(letters)} letters: there may be more (--limit)")
                break
    return letters


def redrive_selected(
    reprise: App, queue: Which, selection: Selection, payload: bytes | None = None
) -> list[RedriveResult]:
    """Redrive the letters that are meant, batch by batch, and return what became of each.

    Raises:
        CommandError: If the key to sign a payload with may not be read.
    """
    stack, started_at = reprise.stack, utc_now()
    back_to = stack.replay_queue_url if queue is Which.CALLS else stack.capture_queue_url
    results: list[RedriveResult] = []
    seen: set[str] = set()
    with (
        reprise.out.progress("redriving dead letters") as advance,
        _browser(reprise, queue) as browser,
    ):
        redriver = Redriver(
            ledger=reprise.ledger,
            queue=SqsQueue(reprise.aws.sqs, back_to),
            letters=browser,
            keys=reprise.keyring,
            clock=utc_now,
            edit=None if payload is None else _edit(reprise, payload),
        )
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
    if redriver.unverified:
        reprise.out.note(
            f"{len(redriver.unverified)} letters could not be verified here, since the keys of their sources "
            f"may not be read ({secret_name(stack.name, '*')}): the replayer verifies each before it invokes"
        )
    return results


def _edit(reprise: App, payload: bytes) -> Edit:
    """Return what replaces a payload, signed by the operators' key."""
    stack, name = reprise.stack, secret_name(reprise.stack.name, OPERATOR)
    try:
        keys = SecretKeys(reprise.aws.secrets, name).keys()
    except StoreError as error:
        raise CommandError(
            "--payload",
            f"secret {name!r} cannot be read: {error.code}",
            "Only who may read it may edit calls: see the stack's output OperatorSecretArn",
        ) from error
    return Edit(data=payload, keys=keys, objects=S3Objects(reprise.aws.s3, stack.bucket))


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
