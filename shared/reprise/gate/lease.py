"""Lease permits by epoch, so that those of a dead owner come back by themselves.

A permit counts in the slot of the epoch in which it was taken. Four slots go round; an epoch lasts a third
of the longest time a permit can be held, so when a slot comes to be used again, whoever still has a permit
of it is dead, and the permit is given back. Counters need no list of owners, and no owner to clean up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.gate.image import Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.gate.image import GateImage, Value

SLOTS: Final = 4
GRAIN_MS: Final = 30_000


def slot_name(epoch: int) -> str:
    """Return the counter of an epoch's permits."""
    return f"leased_{epoch % SLOTS}"


def lease_ms(remaining_ms: int) -> int:
    """Return the lease of a permit taken by a process that ends in `remaining_ms`.

    Rounded up to half minutes, the grain of the template's timeouts: epochs must be of one length.
    """
    return max(1, math.ceil(remaining_ms / GRAIN_MS)) * GRAIN_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What a new epoch gives back."""

    epoch: int
    in_flight: int
    """Permits that are out, those of dead owners not counted."""
    put: Mapping[str, Value] = field(default_factory=dict)
    when: tuple[Condition, ...] = ()


def expire(gate: GateImage, now_ms: int, lease_ms: int) -> Expiry:
    """Return the present epoch, and how many permits are out once those of dead owners are given back.

    A new epoch also counts anew what is out, so that no error in the sum outlives a third of a lease.

    Args:
        gate: The gate as last known.
        now_ms: The present.
        lease_ms: How long a permit can be held at most; the same for every replayer.
    """
    epoch = now_ms * (SLOTS - 1) // lease_ms
    if epoch <= gate.epoch:
        return Expiry(epoch=gate.epoch, in_flight=max(0, gate.in_flight))
    over = {slot_name(old) for old in range(gate.epoch + 1, min(epoch, gate.epoch + SLOTS) + 1)}
    slots = {slot_name(slot) for slot in range(SLOTS)}
    in_flight = sum(max(0, getattr(gate, name)) for name in slots - over)
    counted = {"in_flight", *over}
    return Expiry(
        epoch=epoch,
        in_flight=in_flight,
        put={"epoch": epoch, **dict.fromkeys(sorted(over), 0)},
        when=(
            Condition(name="epoch", relation="=", value=gate.epoch),
            *(
                Condition(name=name, relation="=", value=getattr(gate, name))
                for name in sorted(counted)
            ),
        ),
    )
