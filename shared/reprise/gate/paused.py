"""Hold a gate whose policy is not enabled, so that its backlog stays folded, and let it go again.

A replayer sees the policy; an unpacker does not, and asks the gate. A pause is a hold without probes: only
a replayer that finds the policy enabled ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.gate.limit import start_over
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.state import TRANSITIONS, Change, Condition, GateEvent, GateState, HeldFor, Mode

if TYPE_CHECKING:
    from reprise.ports import GateItems

NOTED_S: Final = 60.0
"""How often it is noted that somebody still sees the policy."""
MIN_SPAN_S: Final = 6.0
"""Calls of a paused target come back so soon, however old the pause: the one that stays expanded to see the
policy costs about 1,600 requests of SQS an hour, and whoever resumes is not kept waiting."""
RETURNS_PER_S: Final = 25.0
MAX_SPAN_S: Final = 60.0
"""Where many were expanded already, no more than this come back a second, unless that takes too long."""
_TRIES: Final = 3


def is_paused(gate: GateState) -> bool:
    """Tell whether a gate holds because its policy is not enabled."""
    return gate.mode == Mode.HOLDING and gate.held_for == HeldFor.PAUSED


def pause(gate: GateState, now_ms: int) -> Change | None:
    """Return what a replayer changes that finds the policy not enabled; None if the gate knows.

    Args:
        gate: The gate as last known.
        now_ms: The present.
    """
    if is_paused(gate):
        if now_ms < gate.probe_at_ms:
            return None
        put, seen = {"probe_at_ms": now_ms + round(1000 * NOTED_S)}, "probe_at_ms"
        return Change(put=put, when=(_same(gate, "turn"), _same(gate, seen)))
    return Change(
        put={
            "mode": TRANSITIONS[Mode(gate.mode), GateEvent.PAUSED],
            "held_for": HeldFor.PAUSED,
            "holding_since_ms": now_ms,
            "changed_at_ms": now_ms,
            "probe_at_ms": now_ms + round(1000 * NOTED_S),
            "probe_owner": "",
        },
        add={"turn": 1},
        when=(_same(gate, "turn"), _same(gate, "mode")),
    )


def resume(gate: GateState, now_ms: int, parameters: GateParameters = DEFAULTS) -> Change | None:
    """Return what a replayer changes that finds the policy enabled; None if the gate is not paused.

    The target starts over as after any hold, with a small window and slow start.

    Args:
        gate: The gate as last known.
        now_ms: The present.
        parameters: The rule's numbers.
    """
    if not is_paused(gate):
        return None
    return Change(
        put={
            "mode": TRANSITIONS[Mode.HOLDING, GateEvent.RESUMED],
            "held_for": "",
            **start_over(gate, now_ms, parameters),
        },
        add={"turn": 1},
        when=(_same(gate, "turn"), _same(gate, "mode")),
    )


def paused_wait_s(gate: GateState) -> tuple[float, float]:
    """Return wait and spread of a paused target's calls: soon, so that an enabled policy is soon seen.

    Args:
        gate: The gate as last known.

    Returns:
        Seconds; together at least 6 and at most 60.
    """
    span_s = max(MIN_SPAN_S, min(MAX_SPAN_S, gate.waiting / RETURNS_PER_S))
    return 0.5 * span_s, 0.5 * span_s


def hold_paused(gates: GateItems, function: str, now_ms: int) -> GateState:
    """Let a target's gate hold for its policy, and return it.

    Raises:
        StoreError: If the gate is away.
    """
    image = gates.read(function)
    for _ in range(_TRIES):
        change = pause(image, now_ms)
        if change is None:
            break
        image = gates.update(function, change).image
    return image


def _same(gate: GateState, name: str) -> Condition:
    return Condition(name=name, relation="=", value=getattr(gate, name))
