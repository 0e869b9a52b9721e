"""The parameters of replay control: ten numbers, each with its unit, range and source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GateParameters:
    """What the rule of the gate may be tuned by; the defaults serve every scenario of the bench."""

    first_window: float = 2.0
    """Permits of a new or resumed gate. 1 to 100. Source: TCP's initial window (RFC 2581)."""
    ramp: float = 4.0
    """Growth of the window in one service time of slow start. 1.5 to 4; TCP doubles (RFC 5681)."""
    refused_share: float = 0.002
    """Share of fresh attempts that may be refused in the long run: each refusal takes one permit, each
    fresh admitted attempt brings this much of one. 0.001 to 0.05. A fresh replay sees what a live call
    sees (Wolff 1982, PASTA), so live calls are refused about as often."""
    quiet_s: float = 28.0
    """Seconds without a refusal after which growth doubles, and then goes on with the square; for a small
    window fewer, five service times (at least seconds) for each permit. 5 to 300. Source: the idea of CUBIC
    (RFC 9438), as in botocore's adaptive retry mode."""
    cut: float = 0.4
    """What a window keeps when a fifth of it is refused within one service time, or when another target meets
    a limit of the account or the caller. 0.3 to 0.9. Source: Chiu and Jain 1989."""
    brake_s: float = 0.3
    """Seconds without admissions after a refusal: the target is full at this moment. 0 to 5."""
    fault_limit: int = 10
    """Distinct calls that fail in a row, none succeeding, and show an outage by errors; three where no replay
    ever succeeded. 3 to 100."""
    gap_share: float = 0.1
    """Gap between probes as a share of the hold's age. 0.02 to 0.5. Source: a circuit breaker's growing
    reset time-out, bounded here by 2 s and by 10 s (20 s after half an hour)."""
    room_s: float = 4.0
    """Seconds that calls may wait in the replayer for a permit of their own batch. 0 to 15."""
    lookahead_s: float = 20.0
    """How much of the target's drain is kept expanded. 5 to 60."""


DEFAULTS = GateParameters()
