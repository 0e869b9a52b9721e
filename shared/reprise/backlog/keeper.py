"""Ask and tell a gate about the backlog, for whoever holds captured objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.backlog.rule import Expand, Leave, Piece, decide_expansion

if TYPE_CHECKING:
    from reprise.ports import Clock, Draw, GateItems

_TRIES: Final = 3
_BUSY_S: Final = 2.0
"""Shortest wait of who lost every race for the item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogKeeper:
    """Decides on pieces of captured objects, and keeps their count in the target's gate."""

    gates: GateItems
    clock: Clock
    draw: Draw

    def decide(self, function: str, *, records: int, is_folded: bool) -> Expand | Leave:
        """Return what becomes of a piece; an expansion is reserved in the gate when this returns.

        Reserve first, then send: a crash in between reserves again, which only makes the count too
        high, and the rule outlives that. Offer at most 1,000 calls at a time.

        Args:
            function: The target's unqualified ARN.
            records: Calls in the piece, at least 1.
            is_folded: False at the first look at the object (or part), true ever after.

        Raises:
            StoreError: If the gate cannot be asked or told: nothing may be expanded.
        """
        piece = Piece(records=records, is_folded=is_folded)
        image = self.gates.read(function)
        for _ in range(_TRIES):
            now_ms = int(self.clock().timestamp() * 1000)
            decision = decide_expansion(image, piece, now_ms=now_ms, draw=self.draw())
            if decision.change is None:
                return decision
            updated = self.gates.update(function, decision.change)
            if updated.applied:
                return decision
            image = updated.image
        return Leave(delay_s=_BUSY_S * (1 + self.draw()), change=None)
