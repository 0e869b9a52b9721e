"""Find calls: the index names them, the ledger says how they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched, islice
from typing import TYPE_CHECKING, Final, Protocol

from reprise.call.target import conflict_id
from reprise_cli.calls.selection import OPEN_STATES, FoundCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from reprise.ledger import Row
    from reprise_cli.calls.pages import Listed
    from reprise_cli.calls.selection import CallSelection

BATCH: Final = 100
"""DynamoDB API reference, BatchGetItem."""


class RowReader(Protocol):
    """Tells how calls stand."""

    def get_all(self, call_ids: Sequence[str]) -> dict[str, Row]:
        """Return the rows that there are, by id."""


@dataclass(slots=True, kw_only=True)
class CallFinder:
    """One search."""

    rows: RowReader
    is_enough: Callable[[int, datetime], bool] = lambda _open, _at: False
    """Tells, by how many open calls were seen and how far it came, whether the search may end."""
    seen: int = 0
    """Calls whose rows were looked at."""
    open_seen: int = 0
    reached: datetime | None = None
    """When the oldest call was captured that was looked at."""
    _ids: set[str] = field(default_factory=set, init=False)

    def find(self, calls: Iterable[Listed], wanted: CallSelection) -> Iterator[FoundCall]:
        """Yield the calls that are meant, in the order in which they are listed.

        Raises:
            StoreError: If index or ledger cannot be read.
        """
        meant = (listed for listed in calls if wanted.may_take(listed.entry))
        for some in batched(meant, BATCH):
            found = self._found(some)
            self.seen += len(some)
            self.reached = some[-1].at
            self.open_seen += sum(call.row.state in OPEN_STATES for call in found)
            yield from (call for call in found if wanted.takes(call))
            if self.is_enough(self.open_seen, self.reached):
                return

    def _found(self, some: Sequence[Listed]) -> list[FoundCall]:
        rows = self.rows.get_all([listed.entry.id for listed in some])
        others = {
            listed.entry.id: conflict_id(listed.entry.id, listed.entry.sha256)
            for listed in some
            if not _is_of(rows.get(listed.entry.id), listed)
        }
        rows |= self.rows.get_all(list(others.values())) if others else {}
        found: list[FoundCall] = []
        for listed in some:
            row = rows.get(listed.entry.id)
            if not _is_of(row, listed):
                row = rows.get(conflict_id(listed.entry.id, listed.entry.sha256))
            # Without a row it was not entered yet, or its row has expired.
            if row is not None and row.id not in self._ids:
                self._ids.add(row.id)
                found.append(FoundCall(row=row, entry=listed.entry))
        return found


def _is_of(row: Row | None, listed: Listed) -> bool:
    return row is not None and row.original_sha256.startswith(listed.entry.sha256)


def first(calls: Iterator[FoundCall], limit: int) -> tuple[list[FoundCall], bool]:
    """Return at most so many calls, and whether there are more."""
    found = list(islice(calls, limit + 1))
    return found[:limit], len(found) > limit
