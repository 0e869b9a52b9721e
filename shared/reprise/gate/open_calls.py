"""Whether a target may have captured calls that a caller could repeat: pure rules.

Asked by whoever makes calls with keys, so that a target without a backlog costs them nothing but this.
Wrong only to the safe side, but for the time that an answer is remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.gate.image import Change, Condition

if TYPE_CHECKING:
    from reprise.gate.image import GateImage

KNOWN_FOR_MS: Final = 3 * 3_600_000
"""How long keys are asked for after a target's last captured call with one, or half of it (`keep_open`).

Longer than the way of a capture line: 15 minutes where Firehose buffers longest, and an hour if S3 loses the
object's notification and the reconciler finds it.
"""


def may_have_open(gate: GateImage, now_ms: int) -> bool:
    """Tell whether a call with a key may be one that was captured."""
    if now_ms < gate.open_until_ms or gate.waiting > 0:
        return True
    if gate.folded_objects > 0 or gate.folded_records > 0:
        return True
    last_end_ms = max(gate.succeeded_at_ms, gate.ended_at_ms)
    return last_end_ms > 0 and now_ms < last_end_ms + KNOWN_FOR_MS


def keep_open(gate: GateImage, until_ms: int) -> Change | None:
    """Return the change that lets keys be asked for till three hours after an instant.

    None while what is known says half of that: so many calls cost one write in 90 minutes.

    Args:
        gate: The gate as last known.
        until_ms: Until when a captured call is open, at least; the present for one that is captured now.
    """
    if gate.open_until_ms >= until_ms + KNOWN_FOR_MS // 2:
        return None
    wanted_ms = until_ms + KNOWN_FOR_MS
    # Whoever knows of a longer wait is not to be cut short.
    later = Condition(name="open_until_ms", relation="<=", value=wanted_ms)
    return Change(put={"open_until_ms": wanted_ms}, when=(later,))
