"""Decide when a folded object is expanded while its gate is away: when the replay queue runs dry.

A replayer without the gate makes one call at a time from its own memory, so calls that were expanded still
end, and something must follow them. How many wait is asked of the queue, the one count that is left; it
does not grow beyond an object or two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reprise.backlog.rule import FIRST_OFFER, Expand, Leave, expansion, leave

if TYPE_CHECKING:
    from reprise.backlog.rule import Piece

ENOUGH: Final = 100
"""Messages in the replay queue with which no object is expanded. A hundred calls that come back every ten
seconds keep ten replayers busy; with three times as many live calls were refused twice as often."""
SPREAD_S: Final = 10.0
MIN_DELAY_S: Final = 10.0
MAX_DELAY_S: Final = 30.0
"""Looks are drawn from between: soon enough for the gate's return, too."""


def decide_unasked(piece: Piece, *, depth: int, now_ms: int, draw: float) -> Expand | Leave:
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
    records = piece.records if piece.is_folded else min(piece.records, FIRST_OFFER)
    return Expand(
        records=records,
        spread_s=SPREAD_S,
        rest_delay_s=delay_s,
        change=expansion(piece, records, now_ms, ()),
        is_told=False,
    )
