"""Read what a call's story is told from: the ledger, and the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from reprise.aws.s3 import S3Objects
from reprise.errors import StoreError
from reprise.instant import utc_now
from reprise_cli.exits import CommandError
from reprise_cli.story.payload import find_payload
from reprise_cli.story.story import Arrival, Story, tell

if TYPE_CHECKING:
    from reprise_cli.app import App


class StoryReader:
    """Reads stories of one stack's calls; make it in one thread, use it in many."""

    def __init__(self, reprise: App) -> None:
        """Read this stack."""
        self._ledger = reprise.ledger
        self._s3 = reprise.aws.s3
        self._bucket = reprise.stack.bucket
        self._objects = S3Objects(self._s3, self._bucket)

    def read(self, call_id: str, *, shows_payload: bool = False) -> Story:
        """Return a call's story.

        Raises:
            CommandError: If the ledger does not know the call, or its payload cannot be had.
            StoreError: If the ledger cannot be read.
        """
        row = self._ledger.get(call_id)
        if row is None:
            raise CommandError(
                "ID",
                f"no call {call_id!r} is known",
                "A captured call is known once its line has been delivered and unpacked: "
                "try again in a minute",
            )
        story = tell(row, self._arrival(row.capture_object), self._bucket, utc_now())
        if not shows_payload:
            return story
        return find_payload(story, self._objects)

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
