"""Settle a batch: permits come back, and the window learns from what they met.

The law of the window adds up: every throttle takes one permit back, every fresh attempt that was admitted
adds a small part of one. Where the two balance, that part is the share of throttles. The additions commute,
so replayers need not wait for each other; only cuts and changes of the mode are conditional.

A small window never grows slower than by 1 / window of a permit in each round: a plain AIMD window balances
at a share of about 2 / window^2 throttles, half of which is allowed here. (One permit of three is a third
of the window: a share that suits a window of fifty would give it back after minutes.)

Source: AIMD after Chiu and Jain 1989, with an integrator for the additive part; the lower bound of growth
after the Reno-friendly region of CUBIC (RFC 9438, 4.3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reprise.gate.image import Change, Condition, GateImage, Mode
from reprise.gate.lease import SLOTS, slot_name
from reprise.gate.pace import MIN_GAP_S, gap_s, service_s
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.table import TRANSITIONS, GateEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.gate.image import Value
    from reprise.gate.tally import Tally

THROTTLE: Final = "throttle"
FAULT: Final = "fault"
BINDING_SHARE: Final = 0.75
"""A window of which less is in use does not bind, and need not grow."""
OVERSHOOT_KEEPS: Final = 0.85
"""What the first throttle leaves of the permits in use: slow start went a little too far."""
CUT_APART_S: Final = 1.0
"""Shortest time between cuts: the effect of the last one must show first."""


def settle(
    gate: GateImage,
    tally: Tally,
    *,
    owner: str,
    now_ms: int,
    parameters: GateParameters = DEFAULTS,
) -> Change:
    """Return what a tally changes; its conditions, if any, name the turn it was computed from.

    Args:
        gate: The gate as last known.
        tally: What was met.
        owner: Who settles.
        now_ms: The present.
        parameters: The rule's numbers.
    """
    change = _returned(gate, tally, now_ms)
    if tally.is_probe:
        if gate.mode != Mode.PROBING or gate.probe_owner != owner:
            return change
        return _decided(change, gate, _after_probe(gate, tally, now_ms, parameters))
    if gate.mode != Mode.FLOWING or not tally.attempts:
        return change
    event = _event(gate, tally, parameters)
    if event is not None:
        return _decided(change, gate, _hold(tally, event, now_ms))
    change = _counted(change, gate, tally, now_ms)
    cut = _cut(gate, tally, now_ms, parameters)
    if cut is not None:
        return _decided(change, gate, {"window": cut, "slow_start": 0, "changed_at_ms": now_ms})
    growth = _growth(gate, tally, now_ms, parameters)
    return replace(change, add={**change.add, "window": growth}) if growth else change


def _returned(gate: GateImage, tally: Tally, now_ms: int) -> Change:
    """Return the permits, and what is counted whatever the gate's mode."""
    add: dict[str, int | float] = {}
    for epoch, permits in tally.returned.items():
        # An older epoch's permits have been given back for us.
        if permits and epoch > gate.epoch - SLOTS:
            add[slot_name(epoch)] = -permits
            add["in_flight"] = add.get("in_flight", 0) - permits
    if tally.ended:
        add["waiting"] = -tally.ended
    put: dict[str, Value] = {}
    if tally.succeeded:
        add |= {"succeeded": tally.succeeded, "busy_ms": tally.busy_ms}
        put["succeeded_at_ms"] = now_ms
    return Change(put=put, add=add)


def _decided(change: Change, gate: GateImage, put: Mapping[str, Value]) -> Change:
    """Return a change with a decision in it, which holds for this turn of the gate only."""
    add = {name: amount for name, amount in change.add.items() if name not in put}
    return Change(
        put={**change.put, **put},
        add={**add, "turn": 1},
        when=(
            Condition(name="turn", relation="=", value=gate.turn),
            Condition(name="mode", relation="=", value=gate.mode),
        ),
    )


def _after_probe(
    gate: GateImage, tally: Tally, now_ms: int, parameters: GateParameters
) -> dict[str, Value]:
    """Return what a probe shows; after throttles even a failure shows that there is room."""
    ran = tally.executed + tally.suspects
    if tally.succeeded or (ran and gate.held_for != FAULT):
        return {
            "mode": TRANSITIONS[Mode.PROBING, GateEvent.PROBE_RAN],
            "window": parameters.first_window,
            "slow_start": 1,
            "faults": 0 if tally.succeeded else 1,
            "holding_since_ms": 0,
            "probe_owner": "",
            "changed_at_ms": now_ms,
            "succeeded": tally.succeeded,
            "busy_ms": tally.busy_ms,
        }
    wait_s, event = 0.0, GateEvent.PROBE_UNUSED
    if tally.attempts:
        wait_s, event = gap_s(gate, now_ms, parameters), GateEvent.PROBE_REFUSED
    return {
        "mode": TRANSITIONS[Mode.PROBING, event],
        "probe_owner": "",
        "probe_at_ms": now_ms + round(max(wait_s, tally.retry_after_s) * 1000),
    }


def _event(gate: GateImage, tally: Tally, parameters: GateParameters) -> GateEvent | None:
    """Return what ends the flow, if anything does."""
    if tally.succeeded:
        return None
    if tally.throttled and tally.turn >= gate.turn and gate.window - tally.throttled < 1:
        return GateEvent.REFUSED_AT_ONE
    if tally.failed and gate.faults + tally.failed >= parameters.fault_limit:
        return GateEvent.FAULTED
    return None


def _hold(tally: Tally, event: GateEvent, now_ms: int) -> dict[str, Value]:
    wait_s = max(MIN_GAP_S, tally.retry_after_s)
    return {
        "mode": TRANSITIONS[Mode.FLOWING, event],
        "held_for": THROTTLE if event is GateEvent.REFUSED_AT_ONE else FAULT,
        "holding_since_ms": now_ms,
        "changed_at_ms": now_ms,
        "probe_at_ms": now_ms + round(wait_s * 1000),
    }


def _counted(change: Change, gate: GateImage, tally: Tally, now_ms: int) -> Change:
    """Return the change with failures in a row and the last throttle noted."""
    put, add = dict(change.put), dict(change.add)
    if tally.succeeded and gate.faults:
        put["faults"] = 0
    elif tally.failed and not tally.succeeded:
        add["faults"] = tally.failed
    if tally.throttled:
        put["throttled_at_ms"] = now_ms
    return replace(change, put=put, add=add)


def _cut(gate: GateImage, tally: Tally, now_ms: int, parameters: GateParameters) -> float | None:
    """Return the window after a cut; None if there is none.

    An attempt admitted before the last cut tells what that cut has answered already.
    """
    if not tally.throttled or tally.turn < gate.turn:
        return None
    if gate.slow_start:
        return max(1.0, OVERSHOOT_KEEPS * min(gate.window, gate.in_flight))
    is_alone = tally.throttled == 1
    apart_ms = 1000 * max(CUT_APART_S, service_s(gate))
    if is_alone or 2 * tally.throttled <= tally.attempts or now_ms - gate.changed_at_ms < apart_ms:
        return None
    return max(1.0, gate.window * parameters.cut)


def _growth(gate: GateImage, tally: Tally, now_ms: int, parameters: GateParameters) -> float:
    """Return what is added to the window, or taken from it."""
    is_binding = gate.in_flight + 1 >= gate.window * BINDING_SHARE
    if gate.slow_start:
        grows = is_binding and not tally.throttled
        # A batch may tell of several rounds at once; the window grows by one round at a time.
        told = min(tally.succeeded, gate.window)
        return told * (parameters.ramp - 1) if grows else 0.0
    growth = -float(tally.throttled)
    if is_binding:
        fresh = max(0, tally.attempts - tally.throttled - tally.handed)
        quiet_s = (now_ms - max(gate.throttled_at_ms, gate.changed_at_ms)) / 1000
        share = parameters.refused_share * (1.0 + (quiet_s / parameters.quiet_s) ** 2)
        friendly_share = 1.0 / max(1.0, gate.window) ** 2
        growth += fresh * min(max(share, friendly_share), 1.0)
    return max(growth, 1.0 - gate.window)
