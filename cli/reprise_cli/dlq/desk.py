"""Work at a dead-letter queue: look through it, and redrive what is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.aws.keys import SecretKeys, secret_name
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.capturing.signature import OPERATOR
from reprise.errors import StoreError
from reprise.instant import utc_now
from reprise_cli.dlq.edit import DryRunWriter, Edit
from reprise_cli.exits import CommandError
from reprise_cli.output import counted
from reprise_letters.job_store import LetterJobStore
from reprise_letters.letter import Letter, Selection, select
from reprise_letters.survey import Survey, Surveyor
from reprise_letters.tools import LetterTools, QueueUrls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise_cli.app import App
    from reprise_cli.dlq.edit import PayloadWriter
    from reprise_letters.job import LetterJob, LetterQueue
    from reprise_letters.redrive import RedriveResult
    from reprise_letters.run import LetterJobRun


def peek(
    reprise: App, queue: LetterQueue, limit: int | None, until: Selection | None = None
) -> list[Letter]:
    """Return a queue's letters and give them back at once; calls that SQS gave up are ended in the ledger.

    At most `limit` are looked at, if there is one, and none more once all ids of `until` were seen.
    """
    letters: list[Letter] = []
    wanted = set(until.ids) if until is not None else set()
    found = tools(reprise)
    with (
        reprise.out.progress("looking through the dead-letter queue") as advance,
        found.browser(queue) as browser,
    ):
        for batch in map(found.settled, browser.letters()):
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


def survey(reprise: App, queue: LetterQueue, selection: Selection) -> Survey:
    """Look through a queue, and return which letters are meant; they are given back at once."""
    found = tools(reprise)
    with (
        reprise.out.progress("looking through the dead-letter queue") as advance,
        found.browser(queue) as browser,
    ):
        surveyor = Surveyor(prepare=found.settled, advance=advance)
        return surveyor.survey(browser, selection, utc_now())


def tools(reprise: App) -> LetterTools:
    """Return what work at the stack's dead-letter queues takes."""
    stack = reprise.stack
    return LetterTools(
        sqs=reprise.aws.sqs,
        ledger=reprise.ledger,
        keys=reprise.keyring,
        urls=QueueUrls(
            dead_letters=stack.dead_letter_queue_url,
            replay=stack.replay_queue_url,
            capture_dead_letters=stack.capture_dlq_url,
            capture=stack.capture_queue_url,
        ),
    )


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
    advance: Callable[[int], None],
    unverified: list[Letter],
) -> LetterJobRun:
    """Return what runs a job here."""
    run = tools(reprise).run(
        job, by=reprise.operator, store=job_store(reprise), edit=edit, unverified=unverified
    )
    run.advance, run.note = advance, reprise.out.note
    return run


def dry_run_selected(
    reprise: App, queue: LetterQueue, selection: Selection, payload: bytes | None = None
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
    found = tools(reprise)
    redriver = found.redriver(queue, found.browser(queue), edit=edit, unverified=unverified)
    results = redriver.dry_run(letters)
    note_unverified(reprise, unverified)
    return results


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
