"""What is known of a target's gate, and what a batch may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How a gate stands."""

    FLOWING = "flowing"
    """Replays go through."""
    PROBING = "probing"
    """One replay is on its way, to find out."""
    HOLDING = "holding"
    """Nothing goes through until the next probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """The gate of one target; all instants in milliseconds since the epoch."""

    mode: Mode = Mode.FLOWING
    holding_since_ms: int = 0
    """When the present hold began; 0 while flowing."""
    probe_at_ms: int = 0
    """Holding: when the next probe may go. Probing: when the probe's lease runs out."""
    probe_owner: str = ""
    """Who runs the probe."""
    version: int = 0
    """Counts writes; a write is conditional on the version it was computed from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a batch may do with its calls of one target."""

    permits: int
    """How many may be invoked now."""
    is_probe: bool = False
    """Whether the one permit is a probe."""
    wait_s: float = 0.0
    """For the others: seconds until the gate may let more through."""
    spread_s: float = 0.0
    """For the others: how far to spread them after that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the admitted calls of one batch ended."""

    succeeded: int = 0
    throttled: int = 0
    executed: int = 0
    """Ran and failed: the target had room."""
    lost: int = 0
    """Transient, unknown or permanent: says nothing of the target's room."""
    retry_after_s: float = 0.0
    """The longest `Retry-After` among the throttles."""
