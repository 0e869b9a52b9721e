"""Know which targets may have captured calls that are repeated, and let others know."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise.gate.open_calls import keep_open, may_have_open

if TYPE_CHECKING:
    from reprise.ports import Clock, GateItems

_log = logging.getLogger(__name__)

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
