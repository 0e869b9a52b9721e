"""A gate that flows, and the conditions that what is decided of one is written on."""

from __future__ import annotations

from reprise.gate.state import Condition, GateState
from strategies import NOW_MS

STEADY = GateState(
    turn=5,
    window=40.0,
    slow_start=0,
    in_flight=38,
    epoch=100,
    succeeded=10,
    busy_ms=10_000,
    succeeded_at_ms=NOW_MS - 500,
    throttled_at_ms=NOW_MS - 1000,
    changed_at_ms=NOW_MS - 60_000,
)


def of_turn(gate: GateState, *more: Condition) -> tuple[Condition, ...]:
    """Return that the gate's turn and mode are still those that the change was made from, and more."""
    return (
        Condition(name="turn", relation="=", value=gate.turn),
        Condition(name="mode", relation="=", value=gate.mode),
        *more,
    )
