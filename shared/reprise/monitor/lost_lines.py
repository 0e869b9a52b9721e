"""Find captured calls that never arrived, in the log group that still holds their lines, and take them in.

From log group to bucket a line passes a subscription filter and Firehose. Either may drop it: a filter that
is refused skips lines, Firehose gives up after a day. Its caller has its 202, and nobody names the call. So
every half hour the lines of half an hour are read back (`read_back`), compared with the ledger, and those
that it does not know are written into a capture object. The unpacker believes or refuses them there as it
does any other, and counts what had been lost.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from reprise.call.target import conflict_id
from reprise.capturing.reopen import has_arrived, is_other_call
from reprise.capturing.wire import decode_record, load_document
from reprise.errors import BadRecordError, StoreError
from reprise.instant import from_ms
from reprise.monitor.read_back import DUE_S, OVERLAP_S, ReadBack, after_page, begun, next_page
from reprise.monitor.reconcile import READ_BACK_NAME
from reprise.monitor.taken_in import MOST_BYTES, Envelope, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reprise.capturing.record import Record
    from reprise.ledger import Row
    from reprise.monitor.read_back import ReadBackStates
    from reprise.ports import Clock
    from reprise.quarantine import ObjectWriter

_log = logging.getLogger(__name__)

RESERVE_MS: Final = 30_000
"""Time kept to write what was found, and how far it has come; more than a page and its rows take."""
SAVED_PAGES: Final = 64
"""After so many pages it is kept how far it has come, in case that this process is killed."""
_EXPIRED: Final = "InvalidParameterException"
"""What CloudWatch Logs calls a token that it does not know any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedLine:
    """One line of a log group."""

    text: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some of the lines that were asked for."""

    lines: tuple[LoggedLine, ...]
    token: str = ""
    """Of the next page; empty if this is the last."""


class LogSearch(Protocol):
    """Reads capture lines in a log group."""

    def page(self, group: str, *, begin_ms: int, end_ms: int, token: str) -> LogPage:
        """Return the capture lines between two instants, a page of them; none if there is no such group.

        Raises:
            StoreError: If they cannot be read now, or the token has expired.
        """


class CallRows(Protocol):
    """Reads the ledger."""

    def get_all(self, call_ids: Sequence[str], *, is_late: bool = False) -> dict[str, Row]:
        """Return the rows that there are, by id; as of late if that will do, which costs half.

        Raises:
            StoreError: If any of them cannot be read.
        """


@dataclass(slots=True)
class _Found:
    """Lines that were missed, and are not written yet."""

    group: str = ""
    lines: list[LoggedLine] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, group: str, lines: Sequence[LoggedLine]) -> None:
        self.group = group
        self.lines += lines
        self.size_bytes += sum(len(line.text) for line in lines)

    def clear(self) -> None:
        self.lines.clear()
        self.size_bytes = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReconciler:
    """Compares log groups with the ledger, half an hour at a time."""

    groups: tuple[str, ...]
    account_id: str
    search: LogSearch
    ledger: CallRows
    objects: ObjectWriter
    states: ReadBackStates
    clock: Clock
    due_s: int = DUE_S

    def run(self, remaining_ms: Callable[[], int]) -> None:
        """Read what is due, as much of it as time allows, and take in what is missed.

        Reading again is harmless: an object's name follows from its lines, and the ledger knows the calls.

        Raises:
            StoreError: If something cannot be read or written; the next run goes on from what is remembered.
        """
        due_ms = int((self.clock().timestamp() - self.due_s) * 1000)
        state = begun(self.states.load(), due_ms)
        groups = tuple(dict.fromkeys(self.groups))
        found, pages = _Found(), 0
        try:
            while remaining_ms() >= RESERVE_MS:
                going = next_page(state, groups, due_ms)
                if going is None:
                    break
                page = self._page(going)
                if page is None:
                    state = ReadBack(
                        done_ms=going.done_ms, until_ms=going.until_ms, group=groups[0]
                    )
                    continue
                found.add(going.group, self._missing(page.lines))
                state = after_page(going, groups, page.token)
                pages += 1
                is_through = state.group != going.group
                if is_through or found.size_bytes >= MOST_BYTES or pages % SAVED_PAGES == 0:
                    self._take_in(found)
                    self.states.save(state)
        finally:
            # What was read before a failure need not be read again.
            self._take_in(found)
            self.states.save(state)

    def _page(self, state: ReadBack) -> LogPage | None:
        """Return a page; None if its token is good no longer."""
        try:
            return self.search.page(
                state.group,
                begin_ms=state.done_ms - OVERLAP_S * 1000,
                end_ms=state.until_ms,
                token=state.token,
            )
        except StoreError as error:
            if state.token and error.code == _EXPIRED:
                _log.warning("page is known no longer: its stretch is read anew", exc_info=True)
                return None
            raise

    def _missing(self, lines: Sequence[LoggedLine]) -> list[LoggedLine]:
        """Return the lines of calls that the ledger does not know, and those that cannot be judged."""
        records: list[tuple[LoggedLine, Record | None]] = []
        for line in lines:
            try:
                document = load_document(line.text)
                if document is not None:
                    records.append((line, decode_record(document)))
            except BadRecordError:
                # The unpacker says why, in quarantine.
                records.append((line, None))
        rows = self._rows(record.id for _, record in records if record is not None)
        others = self._rows(
            conflict_id(record.id, record.payload.sha256)
            for _, record in records
            if record is not None and _is_other(rows.get(record.id), record)
        )
        rows |= others
        return [line for line, record in records if record is None or not _is_known(record, rows)]

    def _rows(self, call_ids: Iterable[str]) -> dict[str, Row]:
        ids = list(dict.fromkeys(call_ids))
        # What is read is three quarters of an hour old.
        return self.ledger.get_all(ids, is_late=True) if ids else {}

    def _take_in(self, found: _Found) -> None:
        """Write what was found where the unpacker is told of it."""
        if not found.lines:
            return
        envelope = Envelope(
            owner=self.account_id,
            log_group=found.group,
            log_stream="read-back",
            subscription="reprise-reconciler",
        )
        at_ms = found.lines[0].at_ms
        for some in pieces([line.text for line in found.lines]):
            name = hashlib.sha256("\n".join(some).encode("utf-8", "surrogatepass")).hexdigest()[:24]
            key = f"captured/{from_ms(at_ms):%Y/%m/%d/%H}/{READ_BACK_NAME}{name}.gz"
            self.objects.put(key, envelope.pack(some, at_ms))
            _log.warning("lines had not arrived: taken in", extra={"key": key, "lines": len(some)})
        found.clear()


def _is_other(row: Row | None, record: Record) -> bool:
    return row is not None and is_other_call(row, record)


def _is_known(record: Record, rows: Mapping[str, Row]) -> bool:
    row = rows.get(record.id)
    if row is not None and is_other_call(row, record):
        return conflict_id(record.id, record.payload.sha256) in rows
    return has_arrived(row, record)
