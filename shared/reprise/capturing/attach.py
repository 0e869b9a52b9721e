"""Let a caller have the outcome of a kept call, its own or that of the same key, within one request.

See docs/adr/0023-a-key-is-one-effect.md, "Attach".
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reprise.call.payload import digest
from reprise.capturing.repeat import claimed_until_ms
from reprise.capturing.status import find_row, read_result
from reprise.capturing.status_token import StatusToken
from reprise.capturing.wait import has_ended
from reprise.errors import RepriseError
from reprise.instant import parse_instant
from reprise.ledger import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.call.request import CallRequest
    from reprise.capturing.invoker import Captured
    from reprise.capturing.wait import Waiter
    from reprise.ledger import Row
    from reprise.ports import Ledger, Objects

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndResult:
    """The end of a call that was kept."""

    row: Row
    payload: bytes | None
    """The late result; None if the call was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Waits for the ends of calls."""

    ledger: Ledger
    objects: Objects
    bucket: str
    waiter: Waiter
    call_timeout_s: int
    longest_s: float | None = None
    """How long a run may take in all, its own call included; None where nobody is stopped."""

    def begin(self, wait_s: float) -> Patience:
        """Return what is left of a caller's patience, and of the time that this process has."""
        now_s = self.waiter.monotonic()
        until_s = float("inf") if self.longest_s is None else now_s + self.longest_s
        return Patience(ends=self, left_s=wait_s, until_s=until_s)


@dataclass(slots=True, kw_only=True)
class Patience:
    """How long one caller still waits."""

    ends: Ends
    left_s: float
    until_s: float

    def for_claim(self, call_id: str | None) -> None:
        """Wait until no live call holds a key, and leave time for a call of our own."""
        if call_id is None:
            return

        def is_free(row: Row | None) -> bool:
            return row is None or claimed_until_ms(row) is None

        probe = partial(self.ends.ledger.get, call_id)
        self._until(probe, is_free, reserve_s=self.ends.call_timeout_s)

    def for_end(self, request: CallRequest, captured: Captured) -> EndResult | None:
        """Wait for the end of a kept call; None if it has none yet, or its result cannot be had.

        Whatever goes wrong here: the call is kept, and that is what its caller is told.
        """
        token = StatusToken(
            sha256=digest(request.payload)[:16], captured_at=parse_instant(captured.captured_at)
        )
        ends = self.ends
        try:
            row = self._until(lambda: find_row(ends.ledger, captured.call_id, token), has_ended)
            if row is None or not has_ended(row):
                return None
            if row.state is State.DEAD_LETTERED:
                return EndResult(row=row, payload=None)
            payload = read_result(ends.objects, ends.bucket, row)
        except RepriseError:
            _log.exception("end is not known", extra={"call_id": captured.call_id})
            return None
        return None if payload is None else EndResult(row=row, payload=payload)

    def _until[T](
        self, probe: Callable[[], T], is_over: Callable[[T], bool], reserve_s: float = 0.0
    ) -> T:
        waiter = self.ends.waiter
        began_s = waiter.monotonic()
        timeout_s = max(0.0, min(self.left_s, self.until_s - reserve_s - began_s))
        try:
            return waiter.until(probe, is_over, timeout_s=timeout_s)
        finally:
            self.left_s -= waiter.monotonic() - began_s
