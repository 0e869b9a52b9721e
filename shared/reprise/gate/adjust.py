"""Settle a batch: permits come back, the window learns from what they met, and the next probe is chosen.

How the window learns is in `limit`. What it adds commutes, so replayers need not wait for each other; only
cuts and changes of the mode are conditional.

A call that failed before does not show whether a target fails for everybody. And every probe is an execution
that is charged to its call: the attempts of the calls that wait are what probes are paid with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reprise.gate.lease import is_counted, slot_name
from reprise.gate.limit import (
    MIN_GAP_S,
    burst_before,
    cut_to,
    fault_limit,
    gap_s,
    growth_of,
    has_held_of_late,
    hold_age_s,
    start_over,
)
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.samples import Samples
from reprise.gate.state import TRANSITIONS, Change, Condition, GateEvent, GateState, HeldFor, Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.gate.state import Value


def settle(  # noqa: PLR0911 - one return an answer
    gate: GateState,
    tally: Samples,
    *,
    owner: str,
    now_ms: int,
    parameters: GateParameters = DEFAULTS,
) -> Change:
    """Return what a tally changes.

    Its conditions, if any, name the turn it was computed from, and the epochs whose permits it gives back.

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
        decided = _decided(change, gate, _after_probe(gate, tally, now_ms, parameters))
        # Whoever takes a lost probe over does not turn the gate: the probe is theirs now.
        ours = Condition(name="probe_owner", relation="=", value=owner)
        return replace(decided, when=(*decided.when, ours))
    if is_held_for_faults(gate) and tally.succeeded:
        # Admitted before the hold, and it ran well: the target does not fail for everybody.
        return _decided(
            change, gate, _flowing(gate, GateEvent.SUCCEEDED, tally, now_ms, parameters)
        )
    if gate.mode != Mode.FLOWING or not tally.attempts:
        return change
    event = _event(gate, tally, now_ms, parameters)
    if event is not None:
        return _decided(change, gate, _hold(gate, tally, event, now_ms))
    change = _counted(change, gate, tally, now_ms)
    cut = cut_to(gate, tally, now_ms, parameters)
    if cut is not None:
        return _decided(change, gate, _after_cut(gate, cut, now_ms))
    growth = growth_of(gate, tally, now_ms, parameters)
    return replace(change, add={**change.add, "window": growth}) if growth else change


def is_held_for_faults(gate: GateState) -> bool:
    """Tell whether a gate holds, probing or not, because calls failed."""
    return gate.mode != Mode.FLOWING and gate.held_for == HeldFor.FAULT


def after_live_success(
    gate: GateState, now_ms: int, parameters: GateParameters = DEFAULTS
) -> Change | None:
    """Return what a live call that succeeded during a hold changes; None if that is no news.

    A target that answers live calls fails for some callers only. It says nothing of its concurrency, so a
    hold for throttles stays.
    """
    if not is_held_for_faults(gate):
        return None
    flowing = _flowing(gate, GateEvent.SUCCEEDED, Samples(), now_ms, parameters)
    return _decided(Change(), gate, {**flowing, "succeeded_at_ms": now_ms})


def _returned(gate: GateState, tally: Samples, now_ms: int) -> Change:
    """Return the permits, and what is counted whatever the gate's mode."""
    add: dict[str, int | float] = {}
    when: tuple[Condition, ...] = ()
    # Those whose lease is over have been given back for us.
    counted = {
        epoch: permits
        for epoch, permits in tally.returned.items()
        if permits and is_counted(gate, epoch)
    }
    for epoch, permits in counted.items():
        add[slot_name(epoch)] = -permits
        add["in_flight"] = add.get("in_flight", 0) - permits
    if counted:
        when = (Condition(name="epoch", relation="<=", value=min(counted)),)
    put: dict[str, Value] = {}
    if tally.left:
        add["waiting"] = -tally.left
        put["ended_at_ms"] = now_ms
    if tally.succeeded:
        add |= {"succeeded": tally.succeeded, "busy_ms": tally.busy_ms}
        put["succeeded_at_ms"] = now_ms
    return Change(put=put, add=add, when=when)


def _decided(change: Change, gate: GateState, put: Mapping[str, Value]) -> Change:
    """Return a change with a decision in it, which holds for this turn of the gate only."""
    add = {name: amount for name, amount in change.add.items() if name not in put}
    return Change(
        put={**change.put, **put},
        add={**add, "turn": 1},
        when=(
            *change.when,
            Condition(name="turn", relation="=", value=gate.turn),
            Condition(name="mode", relation="=", value=gate.mode),
        ),
    )


def _after_probe(
    gate: GateState, tally: Samples, now_ms: int, parameters: GateParameters
) -> dict[str, Value]:
    """Return what a probe shows; after throttles even a failure shows that there is room."""
    ran = tally.executed + tally.suspects
    if tally.succeeded or (ran and gate.held_for != HeldFor.FAULT):
        flowing = _flowing(gate, GateEvent.PROBE_RAN, tally, now_ms, parameters)
        return flowing if tally.succeeded else {**flowing, "faults": 1}
    put: dict[str, Value] = {}
    wait_s, event = 0.0, GateEvent.PROBE_UNUSED
    if tally.attempts:
        wait_s, event = gap_s(gate, now_ms, parameters), GateEvent.PROBE_REFUSED
        put["probed_at_ms"] = now_ms
    return {
        **put,
        "mode": TRANSITIONS[Mode.PROBING, event],
        "probe_owner": "",
        "probe_at_ms": now_ms + round(max(wait_s, tally.retry_after_s) * 1000),
    }


def _flowing(
    gate: GateState, event: GateEvent, tally: Samples, now_ms: int, parameters: GateParameters
) -> dict[str, Value]:
    ended: dict[str, Value] = (
        {"fault_hold_ended_at_ms": now_ms} if gate.held_for == HeldFor.FAULT else {}
    )
    return {
        **ended,
        "mode": TRANSITIONS[Mode(gate.mode), event],
        **start_over(gate, now_ms, parameters),
        "probe_owner": "",
        "succeeded": tally.succeeded,
        "busy_ms": tally.busy_ms,
    }


def _event(
    gate: GateState, tally: Samples, now_ms: int, parameters: GateParameters
) -> GateEvent | None:
    """Return what ends the flow, if anything does."""
    if tally.succeeded:
        return None
    if tally.throttled and tally.turn >= gate.turn and gate.window - tally.throttled < 1:
        return GateEvent.REFUSED_AT_ONE
    if tally.failed and gate.faults + tally.failed >= fault_limit(gate, now_ms, parameters):
        return GateEvent.FAULTED
    return None


def _hold(gate: GateState, tally: Samples, event: GateEvent, now_ms: int) -> dict[str, Value]:
    wait_s = max(MIN_GAP_S, tally.retry_after_s)
    held_for, fault_holds = HeldFor.THROTTLE, gate.fault_holds
    if event is GateEvent.FAULTED:
        held_for = HeldFor.FAULT
        fault_holds = 1 + (fault_holds if has_held_of_late(gate, now_ms) else 0)
    return {
        "mode": TRANSITIONS[Mode.FLOWING, event],
        "held_for": held_for,
        "fault_holds": fault_holds,
        "holding_since_ms": now_ms,
        "changed_at_ms": now_ms,
        "probe_at_ms": now_ms + round(wait_s * 1000),
    }


def _after_cut(gate: GateState, window: float, now_ms: int) -> dict[str, Value]:
    return {
        "window": window,
        "slow_start": 0,
        "burst": 0,
        # A slow start went too far: it tells no window that the target had room for.
        "known_window": 0.0 if gate.slow_start else gate.window,
        "changed_at_ms": now_ms,
    }


def _counted(change: Change, gate: GateState, tally: Samples, now_ms: int) -> Change:
    """Return the change with failures in a row and the last throttle noted."""
    put, add = dict(change.put), dict(change.add)
    if tally.succeeded and gate.faults:
        put["faults"] = 0
    elif tally.failed and not tally.succeeded:
        add["faults"] = tally.failed
    if tally.throttled:
        put["throttled_at_ms"] = now_ms
        if burst_before(gate, now_ms):
            add["burst"] = tally.throttled
        else:
            put |= {"burst": tally.throttled, "burst_at_ms": now_ms}
    return replace(change, put=put, add=add)


def is_choosy(gate: GateState, now_ms: int) -> bool:
    """Tell whether a probe is due of a target that is held because calls failed."""
    return is_held_for_faults(gate) and now_ms >= gate.probe_at_ms


def may_probe(
    gate: GateState,
    *,
    failures: int,
    backoff_s: float,
    now_ms: int,
    parameters: GateParameters = DEFAULTS,
) -> bool:
    """Tell whether a call may be the probe of a target that is held because calls failed.

    One that never failed may. Another may only where there was none of those for as long as its own policy
    would have it wait, or for a tenth of the hold's age, if that is longer: then the few attempts of a small
    backlog outlast a long outage.

    Args:
        gate: The gate as last known.
        failures: Replays of the call that failed since it was captured or redriven.
        backoff_s: Longest wait of its policy after so many.
        now_ms: The present.
        parameters: The rule's numbers.
    """
    if not failures:
        return True
    quiet_s = (now_ms - max(gate.probed_at_ms, gate.holding_since_ms)) / 1000
    return quiet_s >= max(backoff_s, parameters.gap_share * hold_age_s(gate, now_ms))
