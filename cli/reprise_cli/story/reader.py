"""Read what a call's story is told from: the ledger, and the bucket."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from reprise.aws.gate_table import GateTable
from reprise.aws.reply_notes import ReplyNoteTable
from reprise.aws.s3 import S3Objects
from reprise.capturing.status import read_result
from reprise.errors import RepriseError, StoreError
from reprise.instant import parse_instant, utc_now
from reprise.ledger import State
from reprise_cli.calls.desk import call_pages
from reprise_cli.calls.ids import unknown
from reprise_cli.calls.lookup import MAX_KEY_BYTES, NotArrivedError
from reprise_cli.calls.read_back import read_back_of
from reprise_cli.dlq.desk import job_store
from reprise_cli.exits import CommandError, NotFoundError, UsageError
from reprise_cli.gate_view import gate_of
from reprise_cli.policy.document import short_name
from reprise_cli.policy.pauses import policy_watch
from reprise_cli.replay.window import again_id, first_life
from reprise_cli.story.parts import Arrival, Doings, Story
from reprise_cli.story.story import tell

if TYPE_CHECKING:
    from reprise.ledger import Row
    from reprise_cli.app import App
    from reprise_letters.job import LetterJob

_MOST_JOBS: Final = 100
"""The keys of one BatchGetItem request."""


class StoryReader:
    """Reads stories of one stack's calls; make it in one thread, use it in many."""

    def __init__(self, reprise: App) -> None:
        """Read this stack."""
        self._ledger = reprise.ledger
        self._read_back = partial(read_back_of, reprise)
        self._notes = ReplyNoteTable(reprise.aws.dynamodb, reprise.stack.ledger_table, utc_now)
        self._s3 = reprise.aws.s3
        self._bucket = reprise.stack.bucket
        self._jobs = job_store(reprise)
        self._objects = S3Objects(self._s3, self._bucket)
        self._policy = policy_watch(reprise)
        self._pages = call_pages(reprise)
        self._gates = GateTable(reprise.aws.dynamodb, reprise.stack.ledger_table)

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
            message, step, is_young = unknown(call_id, utc_now(), self._read_back())
            raise (NotArrivedError if is_young else NotFoundError)("ID", message, step)
        arrival, done = self._arrival(row.capture_object), self._done(row)
        story = tell(row, arrival, self._bucket, utc_now(), done)
        replies = tuple(self._notes.read(row.id).values())
        story = replace(story, replies=replies, result=story.result if shows_result else None)
        if not shows_payload:
            return story
        # The reader of capture objects, for which only those wait who want a payload.
        from reprise_cli.story.payload import find_payload  # noqa: PLC0415 - see above

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
            first_life=self._first_life(row),
            later_lives=self._later_lives(row),
        )

    def _first_life(self, row: Row) -> str:
        """Return of which call this is another life; a story goes on without who did it, and why."""
        life = first_life(row.id)
        if life is None:
            return ""
        told, name = f"reprise calls show {life[0]}", life[1]
        try:
            job = self._jobs.job(name)
        except RepriseError:
            return f"{told}; by job {name}"
        return f"{told}; {_by(job)}"

    def _later_lives(self, row: Row) -> tuple[str, ...]:
        """Return which calls run this one again, by the newest jobs since it was captured."""
        try:
            jobs = list(self._jobs.ids(f"{parse_instant(row.captured_at):%Y%m%dT%H%M%SZ}"))
            asked = [again_id(row.id, job) for job in jobs[-_MOST_JOBS:]]
            found = self._ledger.get_all([one for one in asked if _is_key(one)])
        except StoreError:
            return ()
        return tuple(one for one in asked if one in found)

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
        return f"{_by(job)},"

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
        """Return why a call waits: a pause, a policy that is not valid, its gate; empty if none of these."""
        if row.state not in {State.CAPTURED, State.WAITING}:
            return ""
        policy = self._policy.look(short_name(row.target))
        paused = policy.pauses.get(short_name(row.target))
        if paused is not None:
            return f"its target is {paused}"
        if policy.problem:
            return f"perhaps for the policy: {policy.problem}"
        try:
            gate = gate_of(self._gates.read(row.target), int(utc_now().timestamp() * 1000))
        except StoreError:
            return ""
        return f"its gate {gate.words(short_name(row.target))}" if gate.held_s else ""

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


def _by(job: LetterJob) -> str:
    why = f" ({job.why})" if job.why else ""
    return f"{job.by}, by job {job.id}{why}"


def _is_key(call_id: str) -> bool:
    return len(call_id.encode()) <= MAX_KEY_BYTES
