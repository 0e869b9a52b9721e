"""Find objects that no notification named, and send the unpacker one.

S3 delivers notifications at least once where it can, and drops those that their queue refuses: a policy or a
key that is broken for an hour loses that hour's objects, which nobody names then. So the unpacker marks each
object whose notification came, and now and then the objects of the last days are compared with the marks.
What Firehose could not deliver and left below its error prefix is found in the same way: S3 tells of none.

Source: S3 user guide, "Amazon S3 Event Notifications" (delivery) and "Event message structure".
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote_plus

import msgspec

from reprise import metric
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reprise.ports import Clock, Marks, Meter, Queue

_log = logging.getLogger(__name__)

PREFIXES: Final = ("captured/", "batch-events/")
"""Where objects lie that S3 notifies of (infra/capture.yaml); Firehose adds yyyy/MM/dd/HH/."""
ERROR_PREFIXES: Final = ("capture-errors/",)
"""Where Firehose leaves what it could not deliver, by the kind of error and then by the hour."""
READ_BACK_NAME: Final = "read-back-"
"""Begins the names of capture objects with lines that were read back from a log group."""
EVERY_S: Final = 600
"""Time between looks, each at one page of one prefix."""
YOUNGEST_S: Final = 1800
"""Age from which an object is missed; its notification mostly takes seconds."""
OLDEST_S: Final = 3 * 86_400
_FIRST_PREFIX_S: Final = OLDEST_S + 86_400
"""Firehose tries for a day, and names the hour in which it began."""
MARK_S: Final = OLDEST_S + 2 * 86_400
"""How long a mark of the unpacker is kept: longer than its object is looked at."""
SENT_MARK_S: Final = 6 * 3600
"""What was sent is not sent again so soon, if the unpacker has not come to it."""
MAX_SENT: Final = 50
"""Sent at one look, so that objects of before there were marks make no storm: all are read for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Objects in the order of their keys."""

    modified_at_s: dict[str, float]
    """When each was written, in seconds since the epoch, by key."""
    is_last: bool


class Listing(Protocol):
    """Lists the objects of the stack's bucket."""

    def page(self, prefix: str, after: str) -> Page:
        """Return the objects below a prefix whose keys come after a key, at most 1,000.

        Raises:
            StoreError: If they cannot be listed now.
        """


def walk(listing: Listing, prefix: str, after: str = "") -> Iterator[tuple[str, float]]:
    """Yield key and time of writing of the objects below a prefix whose keys come after a key, in order.

    Raises:
        StoreError: If they cannot be listed now.
    """
    while True:
        page = listing.page(prefix, after)
        yield from sorted(page.modified_at_s.items())
        if page.is_last or not page.modified_at_s:
            return
        after = max(page.modified_at_s)


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """How far the comparison has come; when its last prefix is through, it begins anew."""

    at_s: float = 0.0
    """When the last look was."""
    after: str = PREFIXES[0]
    """Key after which the next look goes on; begins with its prefix."""


class Sweeps(Protocol):
    """Keeps how far it has come."""

    def load(self) -> Sweep:
        """Return it; a new one at first."""

    def save(self, sweep: Sweep) -> None:
        """Keep it."""


def next_range(sweep: Sweep, at_s: float, prefixes: Sequence[str] = PREFIXES) -> tuple[str, str]:
    """Return the prefix of the next look, and the key after which it begins."""
    prefix = next((each for each in prefixes if sweep.after.startswith(each)), prefixes[0])
    start = prefix
    if prefix in PREFIXES:
        start += f"{datetime.fromtimestamp(at_s - _FIRST_PREFIX_S, UTC):%Y/%m/%d/%H}/"
    return prefix, max(sweep.after, start) if sweep.after.startswith(prefix) else start


def missed(page: Page, at_s: float) -> list[str]:
    """Return the keys of objects that should have been taken in by now."""
    return [
        key
        for key, modified_at_s in page.modified_at_s.items()
        if YOUNGEST_S <= at_s - modified_at_s <= OLDEST_S
    ]


def after_page(prefix: str, page: Page, prefixes: Sequence[str] = PREFIXES) -> str:
    """Return where the next look goes on: behind a full page, or at the next prefix."""
    if not page.is_last and page.modified_at_s:
        return max(page.modified_at_s)
    return prefixes[(prefixes.index(prefix) + 1) % len(prefixes)]


def write_notification(bucket: str, key: str) -> str:
    """Return the message that S3 would have sent of an object."""
    s3 = {
        "s3SchemaVersion": "1.0",
        "configurationId": "reconciler",
        "bucket": {"name": bucket},
        "object": {"key": quote_plus(key, safe="/")},
    }
    entry = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": s3,
    }
    return json.dumps({"Records": [entry]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Compares objects with marks, a page at a time."""

    bucket: str
    listing: Listing
    marks: Marks
    queue: Queue
    """The capture queue."""
    sweeps: Sweeps
    clock: Clock
    meter: Meter
    prefixes: tuple[str, ...] = PREFIXES

    def check(self) -> None:
        """Send the notifications that are missing of one page of objects, if it is time.

        Sending twice is harmless: the ledger knows the calls.

        Raises:
            StoreError: If something cannot be asked or sent; the next look does it again.
        """
        at_s = self.clock().timestamp()
        sweep = self.sweeps.load()
        if at_s - sweep.at_s < EVERY_S:
            return
        prefix, start = next_range(sweep, at_s, self.prefixes)
        page = self.listing.page(prefix, start)
        lost = self._unmarked(missed(page, at_s), at_s)
        self._send(lost[:MAX_SENT], at_s)
        after = (
            lost[MAX_SENT - 1] if len(lost) > MAX_SENT else after_page(prefix, page, self.prefixes)
        )
        self.sweeps.save(Sweep(at_s=at_s, after=after))

    def _unmarked(self, keys: Sequence[str], at_s: float) -> list[str]:
        urls = {f"s3://{self.bucket}/{key}": key for key in keys}
        return [urls[url] for url in self.marks.missing(list(urls), at_s)]

    def _send(self, keys: Sequence[str], at_s: float) -> None:
        if not keys:
            return
        self.queue.send([OutMessage(body=write_notification(self.bucket, key)) for key in keys])
        if self.prefixes == ERROR_PREFIXES:
            self.meter.count(metric.ERROR_OBJECTS, len(keys))
        else:
            self.meter.count(metric.LOST_NOTIFICATIONS, len(keys))
        for key in keys:
            _log.warning("no notification named an object: sent now", extra={"key": key})
            self.marks.put(f"s3://{self.bucket}/{key}", at_s + SENT_MARK_S)
