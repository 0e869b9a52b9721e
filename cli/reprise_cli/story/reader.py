"""Read what a call's story is told from: the ledger, and the bucket."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from reprise.aws.reply_notes import ReplyNoteTable
from reprise.aws.s3 import S3Objects
from reprise.errors import StoreError
from reprise.instant import utc_now
from reprise.ledger import State
from reprise_cli.exits import NotFoundError, UsageError
from reprise_cli.policy.document import short_name
from reprise_cli.policy.pauses import policy_watch
from reprise_cli.story.payload import find_payload
from reprise_cli.story.story import Arrival, Story, tell

if TYPE_CHECKING:
    from reprise.ledger import Row
    from reprise_cli.app import App

_MAX_KEY_BYTES: Final = 2048
"""DynamoDB developer guide, Quotas: the longest partition key. No call has a longer id."""


class StoryReader:
    """Reads stories of one stack's calls; make it in one thread, use it in many."""

    def __init__(self, reprise: App) -> None:
        """Read this stack."""
        self._ledger = reprise.ledger
        self._notes = ReplyNoteTable(reprise.aws.dynamodb, reprise.stack.ledger_table, utc_now)
        self._s3 = reprise.aws.s3
        self._bucket = reprise.stack.bucket
        self._objects = S3Objects(self._s3, self._bucket)
        self._policy = policy_watch(reprise)

    def read(self, call_id: str, *, shows_payload: bool = False) -> Story:
        """Return a call's story.

        Raises:
            UsageError: If the id is empty.
            NotFoundError: If the ledger does not know the call.
            CommandError: If its payload cannot be had.
            StoreError: If the ledger cannot be read.
        """
        row = self.row(call_id)
        if row is None:
            shown = call_id if _is_key(call_id) else f"{call_id[:64]}…"
            raise NotFoundError(
                "ID",
                f"no call {shown!r} is known",
                "A captured call is known as soon as its object was read, whatever its gate does: "
                "try again about a minute after its capture",
            )
        arrival, held_by = self._arrival(row.capture_object), self._held_by(row)
        story = tell(row, arrival, self._bucket, utc_now(), held_by=held_by)
        story = replace(story, replies=tuple(self._notes.read(row.id).values()))
        if not shows_payload:
            return story
        return find_payload(story, self._objects)

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
    return len(call_id.encode()) <= _MAX_KEY_BYTES
