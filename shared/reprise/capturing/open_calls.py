"""Know whether a target may have captured calls that a caller could repeat, and let others know.

Asked by whoever makes calls with keys, so that a target without a backlog costs them nothing but this. Wrong
only to the safe side, but for the time that an answer is remembered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise.gate.state import Change, Condition

if TYPE_CHECKING:
    from reprise.gate.state import GateState
    from reprise.ports import Clock, GateItems

_log = logging.getLogger(__name__)
KNOWN_FOR_MS: Final = 3 * 3_600_000
"""How long keys are asked for after a target's last captured call with one, or half of it (`keep_open`).

Half of it is longer than the way of a capture line: 15 minutes where Firehose buffers longest, an hour if S3
loses the object's notification and the observer finds it, 85 minutes if the log path loses the line and the
reconciler reads it back.
"""


def may_have_open(gate: GateState, now_ms: int) -> bool:
    """Tell whether a call with a key may be one that was captured."""
    if now_ms < gate.open_until_ms or gate.waiting > 0:
        return True
    if gate.folded_objects > 0 or gate.folded_records > 0:
        return True
    last_end_ms = max(gate.succeeded_at_ms, gate.ended_at_ms)
    return last_end_ms > 0 and now_ms < last_end_ms + KNOWN_FOR_MS


def keep_open(gate: GateState, until_ms: int) -> Change | None:
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


BELIEVED_FOR_MS: Final = 1000
"""How long an answer is believed, and so how long another process's capture may go unnoticed."""
UNREAD_FOR_MS: Final = 30_000
"""The same where gates cannot be read: asking again must not hold up every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCalls:
    """What one process knows; safe to use from several threads."""

    gates: GateItems
    """Read consistently: what was noted before the question counts."""
    clock: Clock
    _believed: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """By target, until when its last answer is believed, and the answer."""

    def may_be(self, function: str) -> bool:
        """Tell whether a call with a key may be one that was captured; reads at most once a second.

        A gate that cannot be read says what it said last, and at first that there is none: nothing live
        waits for a gate that is away.
        """
        now_ms = self._now_ms()
        until_ms, answer = self._believed.get(function, (0, False))
        if now_ms < until_ms:
            return answer
        until_ms = now_ms + BELIEVED_FOR_MS
        try:
            answer = may_have_open(self.gates.read(function), now_ms)
        except StoreError:
            _log.warning("gate is away", extra={"target": function}, exc_info=True)
            until_ms = now_ms + UNREAD_FOR_MS
        self._believed[function] = until_ms, answer
        return answer

    def note(self, function: str, wait_s: float = 0.0) -> None:
        """Let every process know of a captured call with a key, which waits so long at least.

        Where that cannot be written the call is captured all the same.
        """
        now_ms = self._now_ms()
        try:
            gate = self.gates.read(function)
            change = keep_open(gate, now_ms + round(wait_s * 1000))
            if change is not None:
                self.gates.update(function, change)
        except StoreError:
            _log.warning("gate is away", extra={"target": function}, exc_info=True)
        self._believed[function] = now_ms + BELIEVED_FOR_MS, True

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)
