"""Take in again what the pipeline could not: below Firehose's error prefix, and in quarantine.

What such an object holds of our lines is written into a capture object of its own, which takes the way of
every other: each line is believed by its MAC alone, and what the ledger knows is suppressed. The objects stay
where they are. A second run writes the same capture objects, and so changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from reprise.capturing.wire import may_be_ours
from reprise.instant import format_instant
from reprise.logreader import LogEvent, read_events
from reprise.monitor.reconcile import walk
from reprise.monitor.taken_in import Envelope, pieces
from reprise_letters.job import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.monitor.reconcile import Listing
    from reprise.ports import Objects


class Unread(StrEnum):
    """Where that lies; the value is the prefix in the stack's bucket (infra/capture.yaml)."""

    ERRORS = "capture-errors/"
    QUARANTINE = "quarantine/"


@dataclass(slots=True, kw_only=True)
class UnreadSurvey:
    """What lies there."""

    planned: list[Planned] = field(default_factory=list)
    """Objects that hold lines of ours, as a job remembers them; their keys are the ids."""
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Lines that may be ours, by target and why they lie there."""
    others: int = 0
    """Entries that hold no line of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadLine:
    """A line that may be ours."""

    text: str
    why: str
    """Quarantine reason, or Firehose's kind of error."""

    @property
    def target(self) -> str:
        """Return the name of the function that it says it is for; not believed, for a summary only."""
        try:
            return str(json.loads(self.text)["target"]["function"]).rpartition(":")[2]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadSource:
    """One of the two places."""

    place: Unread
    bucket: str
    listing: Listing
    objects: Objects
    owner: str
    """The stack's account."""
    log_group: str
    """The stack's capture log group: whoever takes lines in again vouches for where they came from."""

    def look(self, begin_at: datetime, end_at: datetime, target: str | None = None) -> UnreadSurvey:
        """Return what was put there in a window of time.

        Raises:
            StoreError: If it cannot be listed or read.
        """
        found = UnreadSurvey()
        for key, at in self._keys(begin_at, end_at):
            why = Counter[tuple[str, str]]()
            for line in self.lines(key):
                if line is None:
                    found.others += 1
                elif target in {None, line.target}:
                    why[line.target, line.why] += 1
            if why:
                (name, reason), _ = why.most_common(1)[0]
                found.planned.append(
                    Planned(id=key, message_id=key, target=name, reason=reason, at=at)
                )
            found.lines += why
        return found

    def lines(self, key: str) -> Iterator[UnreadLine | None]:
        """Yield an object's lines that may be ours, and None for each entry that holds none."""
        if self.place is Unread.QUARANTINE:
            yield from _quarantined(b"".join(self.objects.stream(self.bucket, key)))
            return
        kind = key.removeprefix(self.place.value).partition("/")[0]
        for item in read_events(self.objects.stream(self.bucket, key)):
            if isinstance(item, LogEvent) and may_be_ours(item.message):
                yield UnreadLine(text=item.message, why=kind)
            else:
                yield None

    def take_in(self, key: str, now: datetime, target: str | None = None) -> int:
        """Write an object's lines into capture objects; return how many lines there were.

        Raises:
            StoreError: If it cannot be read, or they cannot be kept.
        """
        lines = [
            line.text
            for line in self.lines(key)
            if line is not None and target in {None, line.target}
        ]
        name = hashlib.sha256(key.encode()).hexdigest()[:24]
        envelope = Envelope(
            owner=self.owner,
            log_group=self.log_group,
            log_stream=key,
            subscription="reprise-replay",
        )
        for number, some in enumerate(pieces(lines)):
            where = f"captured/{now:%Y/%m/%d/%H}/taken-in-{name}-{number}.gz"
            self.objects.put(where, envelope.pack(some, int(now.timestamp() * 1000)))
        return len(lines)

    def _keys(self, begin_at: datetime, end_at: datetime) -> Iterator[tuple[str, str]]:
        for key, modified_at_s in walk(self.listing, self.place.value):
            if begin_at.timestamp() <= modified_at_s < end_at.timestamp():
                yield key, format_instant(datetime.fromtimestamp(modified_at_s, UTC))


def _quarantined(data: bytes) -> Iterator[UnreadLine | None]:
    for text in data.splitlines():
        try:
            entry = json.loads(text)
            line = base64.b64decode(entry["data_base64"], validate=True).decode()
            why = str(entry["reason"])
        except (ValueError, KeyError, TypeError):
            yield None
            continue
        yield UnreadLine(text=line, why=why) if may_be_ours(line) else None
