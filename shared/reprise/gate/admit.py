"""Admit a batch: how many of its calls of one target may go now, with headroom left for live traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.gate.lease import (
    Expiry,
    expire,
    flowing_wait_s,
    holding_spread_s,
    lease_epoch,
    slot_name,
)
from reprise.gate.limit import cut_window, gap_s, is_idle, service_s, used_at_ms
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.paused import is_paused, paused_wait_s, resume
from reprise.gate.state import TRANSITIONS, Change, Condition, GateEvent, GateState, Mode

if TYPE_CHECKING:
    from reprise.retry.policy import Policy


SHARED_CPUS_AT_ONCE: Final = 2
"""Replays at once of a target whose calls share CPUs, unless its policy says more: such a target slows down
where another refuses, and the window learns from refusals."""


def most_at_once(limit: int | None, policy: Policy, *, shares_cpus: bool = False) -> int | None:
    """Return how many replays of a target may run at once at most, at least 1; None for no cap.

    Args:
        limit: The target's reserved concurrency, or what the account leaves to functions without
            one; None if unknown. 0 counts as unknown: it is about to be raised, or nothing passes.
        policy: The target's policy: `headroom` of the limit is live traffic's own.
        shares_cpus: Whether its calls share CPUs, as on Lambda Managed Instances.
    """
    wanted = policy.max_concurrency or (SHARED_CPUS_AT_ONCE if shares_cpus else None)
    if not limit:
        return wanted
    most = max(1, int(limit * (1 - policy.headroom)))
    return min(most, wanted or most)


CHUNKS: Final = 16
"""A batch is not worth its writes for less than this part of the window."""
BUSY_S: Final = 3.0
"""A permit serves so many seconds of a batch's calls, one after the other: the more rounds, the fewer permits
lie idle, since calls come in bursts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a batch may do with its calls of one target."""

    permits: int
    is_probe: bool = False
    epoch: int = 0
    """Epoch in which the lease of the permits ends."""
    turn: int = 0
    """The gate's turn at the admission."""
    wait_s: float = 0.0
    """For the others: seconds until the gate may let more through."""
    spread_s: float = 0.0
    """For the others: how far to spread them after that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitStep:
    """An admission, and the change it takes to get it; None if nothing is taken."""

    admission: Admission
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitRequest:
    """What a batch asks of a gate."""

    wanted: int
    """Calls of this target in the batch."""
    owner: str
    """Who asks; a probe is leased to it."""
    lease_ms: int
    """How long a permit can be held at most: until the asker's end."""
    most: int | None = None
    """Cap on the window from the target's concurrency and policy; None if unknown."""


def admit(
    gate: GateState,
    request: PermitRequest,
    *,
    now_ms: int,
    wide: GateState | None = None,
    parameters: GateParameters = DEFAULTS,
) -> AdmitStep:
    """Return how many of a batch's calls may go now.

    Who asks for permits has seen the target's policy, and seen it enabled: a pause ends with that change, and
    who asks after it gets permits.

    Args:
        gate: The gate as last known.
        request: What is asked.
        now_ms: The present.
        wide: The item that notes throttles of the account or the caller.
        parameters: The rule's numbers.
    """
    if gate.mode == Mode.FLOWING:
        return _while_flowing(gate, request, now_ms, wide or gate, parameters)
    if is_paused(gate):
        wait_s, spread_s = paused_wait_s(gate)
        waits = Admission(permits=0, wait_s=wait_s, spread_s=spread_s)
        change = resume(gate, now_ms, parameters) if request.wanted else None
        return AdmitStep(admission=waits, change=change)
    refused = _refusal(gate, now_ms, parameters)
    if now_ms < gate.probe_at_ms or not request.wanted:
        return AdmitStep(admission=refused)
    event = GateEvent.PROBE_DUE if gate.mode == Mode.HOLDING else GateEvent.PROBE_LOST
    change = Change(
        put={
            "mode": TRANSITIONS[Mode(gate.mode), event],
            "probe_owner": request.owner,
            "probe_at_ms": now_ms + request.lease_ms,
            "cap": request.most or 0,
        },
        when=(
            Condition(name="mode", relation="=", value=gate.mode),
            Condition(name="probe_at_ms", relation="=", value=gate.probe_at_ms),
        ),
    )
    return AdmitStep(
        admission=Admission(
            permits=1,
            is_probe=True,
            turn=gate.turn,
            wait_s=gap_s(gate, now_ms, parameters),
            spread_s=refused.spread_s,
        ),
        change=change,
    )


def _while_flowing(
    gate: GateState,
    request: PermitRequest,
    now_ms: int,
    wide: GateState,
    parameters: GateParameters,
) -> AdmitStep:
    wait_s, spread_s = flowing_wait_s(gate, now_ms)
    refused = AdmitStep(admission=Admission(permits=0, wait_s=wait_s, spread_s=spread_s))
    brake_until_ms = max(gate.throttled_at_ms, wide.throttled_at_ms) + parameters.brake_s * 1000
    if not request.wanted or now_ms < brake_until_ms:
        return refused
    expiry = expire(gate, now_ms)
    correction = _capped(gate, request.most, _correction(gate, wide, now_ms, parameters))
    window = max(1, int(correction.put.get("window", gate.window)))
    free = window - expiry.in_flight
    useful = _useful(gate, request.wanted, free * 2 >= window, parameters)
    permits = min(free, useful)
    if permits < max(1, min(useful, window // CHUNKS)):
        return refused
    epoch = lease_epoch(expiry.epoch, now_ms, request.lease_ms)
    change = _taken(expiry, epoch, permits, window, correction)
    admission = Admission(
        permits=permits, epoch=epoch, turn=gate.turn, wait_s=wait_s, spread_s=spread_s
    )
    return AdmitStep(admission=admission, change=change)


def _taken(expiry: Expiry, epoch: int, permits: int, window: int, correction: Change) -> Change:
    put, add = {**expiry.put, **correction.put}, dict(correction.add)
    slot = slot_name(epoch)
    if slot in put:
        put[slot] = permits
    else:
        add[slot] = permits
    if expiry.put:
        put["in_flight"] = expiry.in_flight + permits
    else:
        add["in_flight"] = permits
    return Change(
        put=put,
        add=add,
        when=(
            Condition(name="mode", relation="=", value=Mode.FLOWING),
            *(expiry.when or (Condition(name="in_flight", relation="<=", value=window - permits),)),
            *correction.when,
        ),
    )


def _useful(gate: GateState, wanted: int, is_plenty: bool, parameters: GateParameters) -> int:  # noqa: FBT001 - one of four
    """Return how many permits serve a batch best: some of its calls may follow others on theirs."""
    busy_s = min(BUSY_S, parameters.room_s)
    rounds = 1.0 if is_plenty else busy_s / service_s(gate)
    return math.ceil(wanted / max(1.0, rounds))


def _correction(
    gate: GateState, wide: GateState, now_ms: int, parameters: GateParameters
) -> Change:
    """Return what the window must suffer first: a cut made for every target, or a new start."""
    if used_at_ms(gate) and is_idle(gate, now_ms):
        window, slow_start = min(gate.window, parameters.first_window), 1
    elif wide.changed_at_ms > gate.changed_at_ms:
        window, slow_start = cut_window(gate, parameters), 0
    else:
        return Change()
    return Change(
        put={"window": window, "slow_start": slow_start, "changed_at_ms": now_ms},
        add={"turn": 1},
        when=(Condition(name="turn", relation="=", value=gate.turn),),
    )


def _capped(gate: GateState, most: int | None, correction: Change) -> Change:
    """Return a correction that also notes the cap, and takes a window above it back to it.

    What is noted here bounds the window's growth, and tells the unpacker what the target drains.
    """
    cap, put, when = most or 0, dict(correction.put), correction.when
    if cap != gate.cap:
        put["cap"] = cap
    if cap and int(put.get("window", gate.window)) > cap:
        put["window"] = float(cap)
        when = when or (Condition(name="turn", relation="=", value=gate.turn),)
    return Change(put=put, add=correction.add, when=when)


def _refusal(gate: GateState, now_ms: int, parameters: GateParameters) -> Admission:
    until_s = max(0.0, (gate.probe_at_ms - now_ms) / 1000)
    # A probe's lease is the worst case; its answer usually comes within the gap.
    is_probing = gate.mode == Mode.PROBING
    wait_s = min(until_s, gap_s(gate, now_ms, parameters)) if is_probing else until_s
    return Admission(permits=0, wait_s=wait_s, spread_s=holding_spread_s(gate, now_ms))
