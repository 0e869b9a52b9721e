"""Read what a call's story is told from: the ledger, and the bucket."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from reprise.aws.reply_notes import ReplyNoteTable
from reprise.aws.s3 import S3Objects
from reprise.capturing.status import read_result
from reprise.errors import StoreError
from reprise.instant import utc_now
from reprise.ledger import State
from reprise_cli.calls.desk import call_pages
from reprise_cli.calls.ids import unknown
from reprise_cli.calls.lookup import MAX_KEY_BYTES, NotArrivedError
from reprise_cli.dlq.desk import job_store
from reprise_cli.exits import CommandError, NotFoundError, UsageError
from reprise_cli.policy.document import short_name
from reprise_cli.policy.pauses import policy_watch
from reprise_cli.story.parts import Arrival, Doings, Story
from reprise_cli.story.payload import find_payload
from reprise_cli.story.story import tell

if TYPE_CHECKING:
    from reprise.ledger import Row
    from reprise_cli.app import App


class StoryReader:
    """Reads stories of one stack's calls; make it in one thread, use it in many."""

    def __init__(self, reprise: App) -> None:
        """Read this stack."""
        self._ledger = reprise.ledger
        self._notes = ReplyNoteTable(reprise.aws.dynamodb, reprise.stack.ledger_table, utc_now)
        self._s3 = reprise.aws.s3
        self._bucket = reprise.stack.bucket
        self._jobs = job_store(reprise)
        self._objects = S3Objects(self._s3, self._bucket)
        self._policy = policy_watch(reprise)
        self._pages = call_pages(reprise)

    def read(
        self, call_id: str, *, shows_payload: bool = False, shows_result: bool = True
    ) -> Story:
        """Return a call's story.

        Raises:
            UsageError: If the id is empty.
            NotFoundError: If the ledger does not know the call.
            CommandError: If its payload, or its late result, cannot be had.
            StoreError: If the ledger cannot be read.
        """
        row = self.row(call_id)
        if row is None:
            message, step, is_young = unknown(call_id, utc_now())
            raise (NotArrivedError if is_young else NotFoundError)("ID", message, step)
        arrival, done = self._arrival(row.capture_object), self._done(row)
        story = tell(row, arrival, self._bucket, utc_now(), done)
        replies = tuple(self._notes.read(row.id).values())
        story = replace(story, replies=replies, result=story.result if shows_result else None)
        if not shows_payload:
            return story
        return find_payload(story, self._objects)

    def result(self, row: Row) -> str | None:
        """Return a call's late result, wherever it is kept; bytes that are no text with replacements.

        Raises:
            CommandError: If it cannot be had.
        """
        try:
            data = read_result(self._objects, self._bucket, row)
        except StoreError as error:
            raise CommandError(
                "--result",
                f"the late result cannot be had: {error}",
                "Objects are kept as long as the bucket's lifecycle rules say",
            ) from error
        return None if data is None else data.decode("utf-8", "replace")

    def _done(self, row: Row) -> Doings:
        opened = [end.opened_at for end in row.ends[1:]] + [row.opened_at]
        return Doings(
            redrivers={at: self._redriver(row, at) for at in opened if at != row.captured_at},
            captured_for=self._captured_for(row),
            held_by=self._held_by(row),
        )

    def _captured_for(self, row: Row) -> str:
        """Return why a call was captured, and by whom, if the index says so; a story goes on without it."""
        try:
            entry = self._pages.entry_of(row)
        except StoreError:
            return ""
        return "" if entry is None else f"{entry.why}; by {entry.source}"

    def _redriver(self, row: Row, opened_at: str) -> str:
        """Return who opened a call, and why, if a job of the day before says so."""
        try:
            job = self._jobs.redrive_of(row.id, opened_at)
        except (StoreError, CommandError):
            # A story goes on without it.
            return ""
        if job is None:
            return ""
        why = f" ({job.why})" if job.why else ""
        return f"{job.by}, by job {job.id}{why},"

    def row(self, call_id: str) -> Row | None:
        """Return a call's row; None if the ledger does not know the call.

        Raises:
            UsageError: If the id is empty.
            StoreError: If the ledger cannot be read.
        """
        if not call_id:
            raise UsageError("ID", "is empty", "Name the call by the id of its 202")
        return self._ledger.get(call_id) if _is_key(call_id) else None

    def _held_by(self, row: Row) -> str:
        """Return what an operator did by which a call waits; empty if that is nothing."""
        if row.state not in {State.CAPTURED, State.WAITING}:
            return ""
        policy = self._policy.look(short_name(row.target))
        paused = policy.pauses.get(short_name(row.target))
        if paused is not None:
            return f"its target is {paused}"
        return f"perhaps for the policy: {policy.problem}" if policy.problem else ""

    def _arrival(self, url: str | None) -> Arrival | None:
        """Return when a capture object was written; a story goes on without it."""
        if url is None:
            return None
        parts = urlsplit(url)
        try:
            head = self._s3.head_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        except (ClientError, StoreError):
            return Arrival(url=url, at=None)
        return Arrival(url=url, at=head["LastModified"])


def _is_key(call_id: str) -> bool:
    return len(call_id.encode()) <= MAX_KEY_BYTES
