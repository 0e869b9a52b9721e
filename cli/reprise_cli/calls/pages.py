"""Read the index of captured calls, the youngest first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Final

from reprise.call.payload import ClaimCheck
from reprise.call_index import PREFIX, SHA256_CHARS, IndexEntry, key_at, read_page
from reprise.errors import BadRecordError, ObjectMissingError
from reprise.instant import format_instant, parse_instant
from reprise.monitor.reconcile import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reprise.call_index import IndexPage
    from reprise.ledger import Row
    from reprise.monitor.reconcile import Listing
    from reprise_letters.job_store import JobObjects

SPAN: Final = timedelta(hours=1)
"""Longer than the calls of one capture object are apart."""
AT_ONCE: Final = 16
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A call as a page lists it."""

    entry: IndexEntry
    at: datetime
    """When it was captured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPages:
    """The pages of one stack's bucket."""

    objects: JobObjects
    listing: Listing
    bucket: str
    advance: Callable[[int], None] = lambda _: None
    """Told of pages that were read."""

    def calls(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Listed]:
        """Yield the calls that were captured between two instants, the youngest first, each once.

        Raises:
            StoreError: If the bucket cannot be read.
        """
        since, until = since or _BEGINNING, until or _FAR
        seen: set[tuple[str, str]] = set()
        for listed in newest_first(self._pages(since, until)):
            name = listed.entry.id, listed.entry.sha256
            if since <= listed.at <= until and name not in seen:
                seen.add(name)
                yield listed

    def entry_of(self, row: Row) -> IndexEntry | None:
        """Return what the index says of a row's capture; None if it says nothing.

        Raises:
            StoreError: If the bucket cannot be read.
        """
        at = parse_instant(row.captured_at)
        # Its page is named by its youngest call, which came soon after it.
        for _, page in self._pages(at, at, oldest_first=True):
            for entry in page.calls:
                # The id of a call whose key names another payload begins with its own.
                is_it = row.id.startswith(entry.id) and entry.captured_at == row.captured_at
                if is_it and row.original_sha256[:SHA256_CHARS] == entry.sha256:
                    return entry
        return None

    def _pages(
        self, since: datetime, until: datetime, *, oldest_first: bool = False
    ) -> Iterator[tuple[datetime, IndexPage]]:
        # A page is named by its youngest call, and begins up to a span before.
        latest = format_instant(until + SPAN if until < _FAR else until)
        earliest = format_instant(since)
        with ThreadPoolExecutor(AT_ONCE) as executor:
            for day in sorted(self._days(earliest, latest), reverse=not oldest_first):
                keys = [key for key in self._keys(day) if earliest <= key_at(key) <= latest]
                keys.sort(reverse=not oldest_first)
                for some in batched(keys, 2 * AT_ONCE):
                    for key, page in zip(some, executor.map(self._read, some), strict=True):
                        if page is not None:
                            yield parse_instant(key_at(key)), page
                    self.advance(len(some))

    def _days(self, earliest: str, latest: str) -> list[str]:
        """Return the days that have pages: one request a day."""
        days: list[str] = []
        after = f"{PREFIX}{earliest[:10]}"
        while True:
            page = self.listing.page(PREFIX, after)
            if not page.modified_at_s:
                break
            day = min(page.modified_at_s).removeprefix(PREFIX).partition("/")[0]
            if day > latest[:10]:
                break
            days.append(day)
            # Behind every key of that day: 0 follows the slash.
            after = f"{PREFIX}{day}0"
        return days

    def _keys(self, day: str) -> list[str]:
        return [key for key, _ in walk(self.listing, f"{PREFIX}{day}/") if key_at(key)]

    def _read(self, key: str) -> IndexPage | None:
        """Return a page; None if it has expired meanwhile, or is none of ours."""
        try:
            return read_page(self.objects.get(ClaimCheck(bucket=self.bucket, key=key)))
        except (ObjectMissingError, BadRecordError):
            return None


def newest_first(pages: Iterable[tuple[datetime, IndexPage]]) -> Iterator[Listed]:
    """Yield the calls of pages, the youngest first.

    Args:
        pages: Each with the instant of its youngest call, the youngest page first.
    """
    held: list[Listed] = []
    for at, page in pages:
        # What is younger than all of this page is older than nothing that still comes.
        yield from _taken(held, at)
        held += _listed(page.calls)
        held.sort(key=lambda listed: listed.at)
    yield from _taken(held, None)


def _taken(held: list[Listed], after: datetime | None) -> Iterator[Listed]:
    while held and (after is None or held[-1].at > after):
        yield held.pop()


def _listed(entries: Sequence[IndexEntry]) -> list[Listed]:
    return [Listed(entry=entry, at=parse_instant(entry.captured_at)) for entry in entries]
