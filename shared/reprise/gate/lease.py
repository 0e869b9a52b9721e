"""Lease permits by epoch, so that those of a dead owner come back, and say when calls without one do.

An epoch lasts two minutes, whoever asks and however long replayers live. A permit counts in the slot of the
epoch in which its lease ends, when its owner is dead at the latest; once that epoch is over the slot is
emptied, and with it the permits of the dead come back. Sixteen slots go round, which is the longest that a
Lambda function can run. Counters need no list of owners, and no owner to clean up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.gate.limit import hold_age_s, service_s
from reprise.gate.state import Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.gate.state import GateState, Value

SLOTS: Final = 16
EPOCH_MS: Final = 120_000
LONGEST_LEASE_MS: Final = (SLOTS - 1) * EPOCH_MS
"""A longer lease counts as this: 1,800 s, a function's longest timeout.

Source: Lambda API reference, CreateFunction, Timeout.
"""


def slot_name(epoch: int) -> str:
    """Return the counter of the permits whose lease ends in an epoch."""
    return f"leased_{epoch % SLOTS}"


def lease_epoch(present: int, now_ms: int, lease_ms: int) -> int:
    """Return the epoch in which a lease ends that begins now.

    Args:
        present: The present epoch, as the gate will know it.
        now_ms: The present.
        lease_ms: How long the permit can be held at most.
    """
    ends = (now_ms + min(lease_ms, LONGEST_LEASE_MS)) // EPOCH_MS
    return min(max(present, ends), present + SLOTS - 1)


def is_counted(gate: GateState, epoch: int) -> bool:
    """Tell whether permits whose lease ends in an epoch are counted as out."""
    return gate.epoch <= epoch < gate.epoch + SLOTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What a new epoch gives back."""

    epoch: int
    in_flight: int
    """Permits that are out, those of dead owners not counted."""
    put: Mapping[str, Value] = field(default_factory=dict)
    when: tuple[Condition, ...] = ()


def expire(gate: GateState, now_ms: int) -> Expiry:
    """Return the present epoch, and how many permits are out once those of dead owners are given back.

    A new epoch also counts anew what is out, so that no error in the sum outlives an epoch. An epoch
    that no clock can have shown yet was counted in another unit, by another version of this: nothing that it
    says of permits holds, and the count starts over.

    Args:
        gate: The gate as last known.
        now_ms: The present.
    """
    epoch = now_ms // EPOCH_MS
    if gate.epoch in {epoch, epoch + 1}:
        # One ahead of ours: another clock is, a little.
        return Expiry(epoch=gate.epoch, in_flight=max(0, gate.in_flight))
    is_odd = gate.epoch > epoch
    first, last = (0, SLOTS) if is_odd else (gate.epoch, min(epoch, gate.epoch + SLOTS))
    over = {slot_name(old) for old in range(first, last)}
    slots = {slot_name(slot) for slot in range(SLOTS)}
    in_flight = sum(max(0, getattr(gate, name)) for name in slots - over)
    emptied = sorted(name for name in over if getattr(gate, name))
    return Expiry(
        epoch=epoch,
        in_flight=in_flight,
        put={"epoch": epoch, **dict.fromkeys(emptied, 0)},
        when=tuple(
            Condition(name=name, relation="=", value=getattr(gate, name))
            for name in ("epoch", "in_flight", *emptied)
        ),
    )


RETURN_RATIO: Final = 1.5
"""Calls come back so much more often than the target drains, so that some are there when permits are."""
LONGEST_RETURN_S: Final = 15.0
"""Longest such wait, unless the target's calls are slow, or more than `RETURNS_PER_S` would come back."""
RETURN_SHARE: Final = 0.25
"""Part of a service time that calls of a slow target wait at most: a permit that is free idles for less."""
DRAIN_SHARE: Final = 0.02
MAX_RETURN_S: Final = 600.0
"""The same as a part of the time that the target takes for all that wait, up to ten minutes: what was
expanded for a wide window may wait for a narrow one for hours."""
RETURNS_PER_S: Final = 100.0
MIN_SPREAD_S: Final = 4.0
"""How far calls of a holding target spread: a quarter of its age up to a minute, then a fiftieth of it.
Receives cost, and so does waiting."""
FEW_SPREAD_S: Final = 20.0
"""Few calls come back sooner: after this, if no more than `FEW_PER_S` do together."""
FEW_PER_S: Final = 0.4
LATE_S: Final = 3 * 3600.0
"""Age from which `LATE_SHARE` of what is beyond is added, up to `MAX_SPREAD_S`: ten days cost a call fewer
than 900 of its 1,000 deliveries."""
LATE_SHARE: Final = 0.06
MAX_SPREAD_S: Final = 3 * 3600.0


def flowing_wait_s(gate: GateState, now_ms: int) -> tuple[float, float]:
    """Return wait and spread of calls without a permit: back about when their turn may have come."""
    slow_s = at_least_s(gate, now_ms)
    queued = max(0, gate.waiting - gate.in_flight)
    drain_s = queued * slow_s / max(1.0, gate.window)
    shortest_s = min(10.0, max(1.0, 0.2 * service_s(gate)))
    longest_s = max(
        LONGEST_RETURN_S,
        queued / RETURNS_PER_S,
        RETURN_SHARE * slow_s,
        min(MAX_RETURN_S, DRAIN_SHARE * drain_s),
    )
    span_s = max(shortest_s, min(drain_s / RETURN_RATIO, longest_s))
    return 0.1 * span_s, 0.9 * span_s


def at_least_s(gate: GateState, now_ms: int) -> float:
    """Return how long a call of the target takes on average, or at least, in seconds.

    While every permit is out and nothing ends, calls take as long as that lasts: all that is known of
    a target whose first calls have not ended, and soon the truth of one that has become slow.
    """
    known_s = service_s(gate)
    since_ms = max(
        gate.ended_at_ms,
        gate.succeeded_at_ms,
        gate.throttled_at_ms,
        gate.changed_at_ms,
        gate.expanded_at_ms,
    )
    silent_s = min(LONGEST_LEASE_MS, now_ms - since_ms) / 1000
    if not since_ms or silent_s < LONGEST_RETURN_S:
        return known_s
    is_full = expire(gate, now_ms).in_flight + 1 > gate.window
    return max(known_s, silent_s) if is_full else known_s


def holding_spread_s(gate: GateState, now_ms: int) -> float:
    """Return how far calls of a holding target spread after its next probe, in seconds."""
    age_s = hold_age_s(gate, now_ms)
    spread_s = max(MIN_SPREAD_S, min(60.0, 0.25 * age_s), 0.02 * min(age_s, LATE_S))
    few_s = max(FEW_SPREAD_S, gate.waiting / FEW_PER_S)
    late_s = LATE_SHARE * max(0.0, age_s - LATE_S)
    return min(MAX_SPREAD_S, min(spread_s, few_s) + late_s)
