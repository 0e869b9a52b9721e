"""The first rule of the gate: hold after a throttle, probe with a growing gap, flow on success.

Two pure functions, `admit` before a batch and `settle` after it. A throttle costs a record nothing.
The healthy path writes nothing: a flowing gate stays the value that it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from reprise.gate.state import Admission, GateState, Mode, Tally

MIN_GAP_S: Final = 2.0
"""Shortest time from one probe to the next."""
MAX_GAP_S: Final = 15.0
"""Longest gap in the first half hour of a hold."""
MAX_LONG_GAP_S: Final = 60.0
"""Longest gap of all."""
GAP_SHARE: Final = 0.1
"""Gap as a share of the hold's age: an outage of ten minutes is noticed over within one."""
LONG_HOLD_S: Final = 1800.0
SPREAD_SHARE: Final = 0.25
"""How far waiting calls spread, as a share of a young hold's age: receives cost, and so does waiting."""
MAX_SPREAD_S: Final = 60.0
"""Widest spread while the hold is young."""
LONG_SPREAD_SHARE: Final = 0.02
"""The same for an old hold: ten days of it cost a call some 500 deliveries, of the queue's 1,000."""
MAX_LONG_SPREAD_S: Final = 3600.0
MIN_SPREAD_S: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An admission, and the gate's new state if it changes."""

    admission: Admission
    state: GateState | None = None


def admit(state: GateState, *, wanted: int, owner: str, now_ms: int, probe_lease_ms: int) -> Step:
    """Return how many of a batch's calls may go now.

    Args:
        state: The gate as last read.
        wanted: Calls of this target in the batch, at least 1.
        owner: Who asks; a probe is leased to it.
        now_ms: The present.
        probe_lease_ms: How long a probe can take at most; after that another may probe.
    """
    if state.mode is Mode.FLOWING:
        return Step(admission=Admission(permits=wanted))
    if now_ms < state.probe_at_ms:
        return Step(admission=_refuse(state, now_ms))
    probing = replace(
        state, mode=Mode.PROBING, probe_at_ms=now_ms + probe_lease_ms, probe_owner=owner
    )
    admission = Admission(
        permits=1,
        is_probe=True,
        wait_s=gap_s(state, now_ms),
        spread_s=_spread_s(state, now_ms),
    )
    return Step(admission=admission, state=probing)


def settle(state: GateState, tally: Tally, *, owner: str, now_ms: int) -> GateState:
    """Return the gate's state after a batch; the same value if nothing changes.

    A probe that ran, even to a function error, shows that there is room again.
    """
    is_own_probe = state.mode is Mode.PROBING and state.probe_owner == owner
    if tally.throttled and (state.mode is Mode.FLOWING or is_own_probe):
        return _hold(state, tally, now_ms)
    if is_own_probe and (tally.succeeded or tally.executed):
        return GateState(version=state.version)
    if is_own_probe and tally.lost:
        return _hold(state, tally, now_ms)
    if is_own_probe:
        # The probe never asked the target (its call had ended already): another may go at once.
        return replace(state, mode=Mode.HOLDING, probe_owner="", probe_at_ms=now_ms)
    return state


def gap_s(state: GateState, now_ms: int) -> float:
    """Return the time from one probe to the next, in [2, 60] seconds, growing with the hold's age."""
    age_s = _age_s(state, now_ms)
    longest_s = MAX_LONG_GAP_S if age_s > LONG_HOLD_S else MAX_GAP_S
    return min(longest_s, max(MIN_GAP_S, GAP_SHARE * age_s))


def _hold(state: GateState, tally: Tally, now_ms: int) -> GateState:
    held = replace(
        state,
        mode=Mode.HOLDING,
        holding_since_ms=state.holding_since_ms or now_ms,
        probe_owner="",
    )
    wait_s = max(gap_s(held, now_ms), tally.retry_after_s)
    return replace(held, probe_at_ms=now_ms + round(wait_s * 1000))


def _refuse(state: GateState, now_ms: int) -> Admission:
    until_s = (state.probe_at_ms - now_ms) / 1000
    # A probe's lease is the worst case; its answer usually comes within the gap.
    wait_s = until_s if state.mode is Mode.HOLDING else min(until_s, gap_s(state, now_ms))
    return Admission(permits=0, wait_s=wait_s, spread_s=_spread_s(state, now_ms))


def _spread_s(state: GateState, now_ms: int) -> float:
    age_s = _age_s(state, now_ms)
    young_s = min(MAX_SPREAD_S, max(MIN_SPREAD_S, SPREAD_SHARE * age_s))
    return max(young_s, min(MAX_LONG_SPREAD_S, LONG_SPREAD_SHARE * age_s))


def _age_s(state: GateState, now_ms: int) -> float:
    return max(0.0, (now_ms - state.holding_since_ms) / 1000)
