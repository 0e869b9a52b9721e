"""How a target's gate stands, for people: pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.gate.state import HeldFor, Mode
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from reprise.gate.state import GateState

_HELD_FOR: Final[dict[str, str]] = {
    HeldFor.THROTTLE: "its replays are throttled: its reserved concurrency, or the account's, is used up",
    HeldFor.FAULT: "calls fail one after the other; `reprise dlq list --target {target}` shows with what, "
    "and `reprise calls list --target {target}` for those that will be tried again",
    HeldFor.PAUSED: "its policy is not enabled",
}
"""Why a gate holds, and what to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How a target's gate stands."""

    mode: str
    """flowing, probing or holding."""
    window: float | None = None
    """Replays that may run at once, where the gate knows."""
    held_s: float = 0.0
    """Age of the present hold."""
    held_for: str = ""
    """Why it holds, where the gate tells: one of `HeldFor`."""

    def words(self, target: str) -> str:
        """Return since when it holds, and why."""
        why = _HELD_FOR.get(self.held_for, "").format(target=target)
        return f"has held for {format_duration(self.held_s)}" + (f": {why}" if why else "")


def gate_of(state: GateState, now_ms: int) -> Gate:
    """Return a gate's state for people; its window says nothing while it holds."""
    held_ms = now_ms - state.holding_since_ms if state.mode != Mode.FLOWING else 0
    return Gate(
        mode=state.mode,
        window=state.window if state.mode == Mode.FLOWING else None,
        held_s=max(0, held_ms) / 1000,
        held_for=state.held_for if state.mode != Mode.FLOWING else "",
    )
