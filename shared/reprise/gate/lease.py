"""Lease permits by epoch, so that those of a dead owner come back by themselves.

An epoch lasts two minutes, whoever asks and however long replayers live. A permit counts in the slot of the
epoch in which its lease ends, when its owner is dead at the latest; once that epoch is over the slot is
emptied, and with it the permits of the dead come back. Sixteen slots go round, which is the longest that a
Lambda function can run. Counters need no list of owners, and no owner to clean up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.gate.image import Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.gate.image import GateImage, Value

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


def is_counted(gate: GateImage, epoch: int) -> bool:
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


def expire(gate: GateImage, now_ms: int) -> Expiry:
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
