"""Cancel calls that wait: the audit names them before any is touched, then the ledger ends each.

What carries a cancelled call stays where it is, and is dropped when it comes: the ledger lets nothing lease a
call that has ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reprise.errors import StoreError
from reprise.instant import format_instant
from reprise.ledger import LedgerEvent, State, is_cancelled, sources
from reprise.monitor.counters import BacklogCounters
from reprise.retry.decision import Reason
from reprise_cli.policy.document import short_name
from reprise_letters.job import LetterOutcome, Planned, signature
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reprise.ledger import Row
    from reprise.monitor.counters import CounterStore
    from reprise.ports import Clock
    from reprise_cli.calls.selection import FoundCall


class CancelLedger(Protocol):
    """A ledger that lets calls be cancelled."""

    def get(self, call_id: str) -> Row | None:
        """Return a row as it is now."""

    def cancel(self, call_id: str, *, opened_at: str, now: datetime, note: str) -> bool:
        """End a call that nobody works on; False if its row is another by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceller:
    """Cancels calls."""

    ledger: CancelLedger
    counters: CounterStore
    label: Callable[[str], str]
    """A target's name in the counters."""
    clock: Clock
    note: str
    """When, by whom and why."""

    def run(self, rows: Sequence[Row]) -> list[LetterOutcome]:
        """Cancel calls; never raises for what the ledger refuses. The counters learn of those that ended."""
        outcomes: list[LetterOutcome] = []
        ended: Counter[str] = Counter()
        try:
            for row in rows:
                outcome = self._one(row)
                outcomes.append(outcome)
                ended[self.label(row.target)] += outcome.action is Action.CANCELLED
        finally:
            self._count(ended)
        return outcomes

    def _one(self, row: Row) -> LetterOutcome:
        now = self.clock()
        try:
            is_done = self.ledger.cancel(row.id, opened_at=row.opened_at, now=now, note=self.note)
            action, why = (Action.CANCELLED, "") if is_done else self._refused(row.id)
        except StoreError as error:
            action, why = Action.FAILED, str(error)
        at = format_instant(now)
        return LetterOutcome(id=row.id, message_id=row.id, action=action, why=why, at=at)

    def _refused(self, call_id: str) -> tuple[Action, str]:
        row = self.ledger.get(call_id)
        return Action.REFUSED, "it is not known any more" if row is None else refusal(row) or (
            "it has changed meanwhile: try again"
        )

    def _count(self, ended: Counter[str]) -> None:
        for label, count in ended.items():
            if count:
                change = BacklogCounters(ended=count, dead={Reason.CANCELLED.value: count})
                # Off until the observer finds the queues empty: no call depends on it.
                try:
                    self.counters.add(label, change)
                except StoreError:
                    continue


def refusal(row: Row) -> str:
    """Return why a call cannot be cancelled; empty if it can."""
    if row.state in sources(LedgerEvent.CANCEL):
        return ""
    if row.state is State.LEASED:
        return "it runs, or its target may have it: wait until it has ended, or waits again"
    if is_cancelled(row):
        return f"it was cancelled: {row.note}"
    if row.state is State.SUCCEEDED:
        return "it has succeeded"
    return f"it was given up ({row.reason}): see `reprise dlq discard`"


def planned_call(call: FoundCall) -> Planned:
    """Return a call as a job remembers it."""
    row = call.row
    return Planned(
        id=row.id,
        message_id=row.id,
        target=short_name(row.target),
        reason=row.state.value,
        error=signature(call.error),
        at=row.captured_at,
    )
