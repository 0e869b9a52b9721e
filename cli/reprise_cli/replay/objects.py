"""Read the captured calls of a window from the capture objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reprise.capturing.line import read_line
from reprise.errors import BadRecordError
from reprise.logreader import LogEvent, read_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.capturing.line import Verifier
    from reprise.capturing.record import Record
    from reprise.monitor.reconcile import Page
    from reprise_cli.replay.window import Window


class ObjectListing(Protocol):
    """Lists keys."""

    def page(self, prefix: str, after: str) -> Page:
        """Return the objects below a prefix whose keys come after a key."""


class ObjectStream(Protocol):
    """Reads objects."""

    def stream(self, bucket: str, key: str) -> Iterator[bytes]:
        """Yield an object's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line of ours that is not believed."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureObjects:
    """The capture objects of one stack."""

    bucket: str
    listing: ObjectListing
    objects: ObjectStream
    trusted: Verifier

    def keys(self, window: Window) -> Iterator[str]:
        """Yield the keys of objects in which calls of the window may be, in order.

        Raises:
            StoreError: If they cannot be listed.
        """
        if window.keys:
            yield from window.keys
            return
        yield from keys_between(self.listing, window.first_key, window.end_key)

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


def keys_between(listing: ObjectListing, first: str, end: str) -> Iterator[str]:
    """Yield the keys from one to another, not included, which begin with the same folder."""
    prefix = first.partition("/")[0] + "/"
    after = first
    while True:
        page = listing.page(prefix, after)
        for key in sorted(page.modified_at_s):
            if key >= end:
                return
            yield key
        if page.is_last or not page.modified_at_s:
            return
        after = max(page.modified_at_s)
