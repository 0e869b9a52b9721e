"""Read the captured calls of a window from the capture objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.capturing.line import read_line
from reprise.errors import BadRecordError
from reprise.logreader import LogEvent, read_events
from reprise.monitor.reconcile import walk
from reprise_cli.replay.window import CAPTURED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.capturing.line import Verifier
    from reprise.capturing.record import Record
    from reprise.monitor.reconcile import Listing
    from reprise.ports import Objects
    from reprise_cli.replay.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line of ours that is not believed."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureObjects:
    """The capture objects of one stack."""

    bucket: str
    listing: Listing
    objects: Objects
    trusted: Verifier

    def keys(self, window: Window) -> Iterator[str]:
        """Yield the keys of objects in which calls of the window may be, in order.

        Raises:
            StoreError: If they cannot be listed.
        """
        if window.keys:
            yield from window.keys
            return
        for key, _ in walk(self.listing, CAPTURED, window.first_key):
            if key >= window.end_key:
                return
            yield key

    def records(self, key: str, window: Window) -> Iterator[Record | Unreadable]:
        """Yield the calls of an object that the window holds, and what of it is not believed.

        A call that stands in it twice comes once: the first line counts, as for the unpacker.

        Raises:
            StoreError: If the object, or a key, cannot be read now.
        """
        seen: set[str] = set()
        for item in read_events(self.objects.stream(self.bucket, key)):
            if not isinstance(item, LogEvent):
                continue
            try:
                record = read_line(item.message, self.trusted)
            except BadRecordError as error:
                yield Unreadable(reason=error.reason, message=error.message)
                continue
            if record is not None and record.id not in seen and window.holds(record):
                seen.add(record.id)
                yield record

    def url(self, key: str) -> str:
        """Return an object's S3 URL."""
        return f"s3://{self.bucket}/{key}"
