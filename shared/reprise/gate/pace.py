"""Read a gate's pace off its image: how fast the target drains, how often it is probed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.gate.parameters import DEFAULTS, GateParameters

if TYPE_CHECKING:
    from reprise.gate.image import GateImage

MIN_GAP_S: Final = 2.0
"""Shortest time from one probe to the next."""
MAX_GAP_S: Final = 10.0
"""Longest gap in the first half hour of a hold."""
MAX_LONG_GAP_S: Final = 20.0
"""Longest gap of all."""
LONG_HOLD_S: Final = 1800.0
UNKNOWN_FAULT_LIMIT: Final = 3
"""Calls that fail in a row and show an outage where none ever succeeded: the others of a small backlog then
keep their attempts."""
FAULT_HOLDS_APART_S: Final = 600.0
"""Holds for failures that follow each other so soon are counted together."""
MAX_DOUBLINGS: Final = 5
"""A real outage then costs at most 320 calls an attempt before it is seen."""
IDLE_S: Final = 60.0
"""A gate that nobody used for so long starts over: its window is old news."""


def gap_s(gate: GateImage, now_ms: int, parameters: GateParameters = DEFAULTS) -> float:
    """Return the time from one probe to the next, in [2, 20] seconds, growing with the hold's age."""
    age_s = hold_age_s(gate, now_ms)
    longest_s = MAX_LONG_GAP_S if age_s > LONG_HOLD_S else MAX_GAP_S
    return min(longest_s, max(MIN_GAP_S, parameters.gap_share * age_s))


def hold_age_s(gate: GateImage, now_ms: int) -> float:
    """Return for how long a gate has held, in seconds; 0 while it flows."""
    if not gate.holding_since_ms:
        return 0.0
    return max(0.0, (now_ms - gate.holding_since_ms) / 1000)


def used_at_ms(gate: GateImage) -> int:
    """Return when a gate last saw anything; 0 for never."""
    return max(gate.succeeded_at_ms, gate.changed_at_ms, gate.throttled_at_ms)


def is_idle(gate: GateImage, now_ms: int) -> bool:
    """Tell whether nobody has used a gate for a minute."""
    return gate.in_flight <= 0 and now_ms - used_at_ms(gate) > IDLE_S * 1000


def service_s(gate: GateImage) -> float:
    """Return how long a call of the target takes on average, at least 10 ms; 1 s if unknown."""
    if not gate.succeeded:
        return 1.0
    return max(0.01, gate.busy_ms / 1000 / gate.succeeded)


def rate_per_s(gate: GateImage) -> float:
    """Return how many calls a second the target drains through its window.

    Throttles that several replayers add up may take the sum below one permit for a moment.
    """
    return max(1.0, gate.window) / service_s(gate)


def fault_limit(gate: GateImage, now_ms: int, parameters: GateParameters) -> int:
    """Return how many calls that fail in a row show an outage.

    Fewer do where none ever succeeded. Twice as many must for each hold of late that a success ended: most
    likely those were some callers' bad calls.
    """
    limit = parameters.fault_limit
    if not gate.succeeded_at_ms:
        return min(limit, UNKNOWN_FAULT_LIMIT)
    doublings = min(gate.fault_holds, MAX_DOUBLINGS) if has_held_of_late(gate, now_ms) else 0
    return int(limit) << doublings


def has_held_of_late(gate: GateImage, now_ms: int) -> bool:
    """Tell whether a hold for failures ended not long ago."""
    return now_ms - gate.fault_hold_ended_at_ms < FAULT_HOLDS_APART_S * 1000
