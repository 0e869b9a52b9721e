"""Choose who probes a target that is held because calls failed: not one caller's bad calls again and again.

A call that failed before does not show whether a target fails for everybody. And every probe is an execution
that is charged to its call: the attempts of the calls that wait are what probes are paid with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.gate.pace import hold_age_s
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.settle import is_held_for_faults

if TYPE_CHECKING:
    from reprise.gate.image import GateImage


def is_choosy(gate: GateImage, now_ms: int) -> bool:
    """Tell whether a probe is due of a target that is held because calls failed."""
    return is_held_for_faults(gate) and now_ms >= gate.probe_at_ms


def may_probe(
    gate: GateImage,
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
