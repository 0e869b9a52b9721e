"""Ask and tell a gate about the backlog, for whoever holds captured objects.

While a gate is away the replay queue decides, the one count that is left: a folded object is expanded when it
runs dry. A replayer without the gate makes one call at a time from its own memory, so calls that were
expanded still end, and something must follow them. What the gate would have been told is owed to it: this
process pays as soon as it can. If it dies, an estimate stays wrong, which the rule outlives.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise.gate.state import Change
from reprise.unpack.expansion import (
    INITIAL_EXPANSION,
    MAX_SPREAD_S,
    Expand,
    Leave,
    Slice,
    decide_expansion,
    expansion,
    leave,
)

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.ports import Clock, Draw, GateItems, QueueSize

_log = logging.getLogger(__name__)
ENOUGH: Final = 100
"""Messages in the replay queue with which no object is expanded. A hundred calls that come back every ten
seconds keep ten replayers busy; with three times as many live calls were refused twice as often."""
SPREAD_S: Final = 10.0
MIN_DELAY_S: Final = 10.0
MAX_DELAY_S: Final = 30.0
"""Looks are drawn from between: soon enough for the gate's return, too."""


def decide_unasked(piece: Slice, *, depth: int, now_ms: int, draw: float) -> Expand | Leave:
    """Return what becomes of a piece of a captured object whose gate nobody can ask.

    Args:
        piece: What could be expanded.
        depth: Messages in the replay queue, of every target.
        now_ms: The present.
        draw: From [0, 1), made by the caller.
    """
    delay_s = MIN_DELAY_S + (MAX_DELAY_S - MIN_DELAY_S) * draw
    if depth >= ENOUGH:
        return replace(leave(piece, delay_s), is_told=False)
    records = piece.records if piece.is_folded else min(piece.records, INITIAL_EXPANSION)
    return Expand(
        records=records,
        spread_s=SPREAD_S,
        rest_delay_s=delay_s,
        change=expansion(piece, records, now_ms, ()),
        is_told=False,
    )


LONGEST_SHARE: Final = 0.5
"""Share of an object's life in S3 that it may wait folded."""


def is_overdue(since: datetime, *, now: datetime, retention_days: int) -> bool:
    """Tell whether an object that waits since then must be expanded whatever the gate says."""
    return now - since > timedelta(days=retention_days * LONGEST_SHARE)


def overdue_expansion(records: int) -> Expand:
    """Return the expansion of a whole folded object; its change has no condition."""
    add = {"waiting": records, "folded_records": -records, "folded_objects": -1}
    return Expand(records=records, spread_s=MAX_SPREAD_S, rest_delay_s=0.0, change=Change(add=add))


_TRIES: Final = 3
_BUSY_S: Final = 2.0
"""Shortest wait of who lost every race for the item."""
_LAG_MS: Final = 60_000
"""How long SQS is given to count what was sent.

Source: SQS API reference, GetQueueAttributes: for a minute after the last send its counts may not be
consistent.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpansionController:
    """Decides on pieces of captured objects, and keeps their count in the target's gate."""

    gates: GateItems
    depth: QueueSize
    """Messages in the replay queue."""
    clock: Clock
    draw: Draw
    _owed: dict[str, Counter[str]] = field(default_factory=dict)
    """By target, what to add to the counts of a gate that was away."""
    _sent: deque[tuple[int, int]] = field(default_factory=deque)
    """When calls were sent without a gate, and how many: the queue may not show them yet."""

    def decide(
        self, function: str, *, records: int, is_folded: bool, unrun: int = 0
    ) -> Expand | Leave:
        """Return what becomes of a piece; an expansion is reserved in the gate when this returns.

        Reserve first, then send: a crash in between reserves again, which only makes the count too
        high, and the rule outlives that. Offer at most 1,000 calls at a time. Confirm what was done:
        it is owed to a gate that was away.

        Args:
            function: The target's unqualified ARN.
            records: Calls in the piece, at least 1.
            is_folded: False at the first look at the object (or part), true ever after.
            unrun: At the first look, calls in it that did not run in their caller's own try.

        Raises:
            StoreError: If neither the gate nor the queue can be asked: nothing may be expanded.
        """
        piece = Slice(records=records, is_folded=is_folded, unrun=unrun)
        try:
            self._pay(function)
            return self._ask(function, piece)
        except StoreError:
            _log.exception("gate is away: the queue's depth decides", extra={"target": function})
            now_ms = self._now_ms()
            depth = max(self.depth(), self._sent_lately(now_ms))
            return decide_unasked(piece, depth=depth, now_ms=now_ms, draw=self.draw())

    def confirm(self, function: str, decision: Expand | Leave) -> None:
        """Note that a decision was carried out."""
        if decision.is_told or decision.change is None:
            return
        self._owed.setdefault(function, Counter()).update(_counts(decision.change))
        if isinstance(decision, Expand):
            self._sent.append((self._now_ms(), decision.records))

    def _sent_lately(self, now_ms: int) -> int:
        while self._sent and now_ms - self._sent[0][0] > _LAG_MS:
            self._sent.popleft()
        return sum(records for _, records in self._sent)

    def _pay(self, function: str) -> None:
        """Tell a gate that was away what it missed: never of more waiting calls than the queue holds.

        Most of those that were expanded meanwhile have ended since, and replayers owe nothing.
        """
        owed = self._owed.get(function)
        if owed is None:
            return
        known = self.gates.read(function).waiting
        waiting = min(self.depth(), known + owed["waiting"])
        self.gates.update(function, Change(add={**owed, "waiting": waiting - known}))
        del self._owed[function]

    def _ask(self, function: str, piece: Slice) -> Expand | Leave:
        image = self.gates.read(function)
        for _ in range(_TRIES):
            decision = decide_expansion(image, piece, now_ms=self._now_ms(), draw=self.draw())
            if decision.change is None:
                return decision
            updated = self.gates.update(function, decision.change)
            if updated.applied:
                return decision
            image = updated.image
        return Leave(delay_s=_BUSY_S * (1 + self.draw()), change=None)

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)


def _counts(change: Change) -> dict[str, int]:
    return {name: int(amount) for name, amount in change.add.items()}
