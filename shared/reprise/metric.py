"""The names of the metrics, in one place."""

from __future__ import annotations

from typing import Final

CAPTURED: Final = "Captured"
CAPTURE_FAILED: Final = "CaptureFailed"
CLAIM_CHECKS: Final = "ClaimChecks"
UNPACKED: Final = "Unpacked"
QUARANTINED: Final = "Quarantined"
CONTROL_MESSAGES: Final = "ControlMessages"
FOREIGN_LINES: Final = "ForeignLines"
OBJECTS_FAILED: Final = "ObjectsFailed"
OBJECTS_FOLDED: Final = "ObjectsFolded"
OBJECTS_PARKED: Final = "ObjectsParked"
FOLDED_LOOKS: Final = "FoldedLooks"
SUCCEEDED: Final = "Succeeded"
DEAD_LETTERED: Final = "DeadLettered"
RETRIED: Final = "Retried"
WASTED_REPLAYS: Final = "WastedReplays"
DUPLICATES_SUPPRESSED: Final = "DuplicatesSuppressed"
GATE_WAITS: Final = "GateWaits"
STORE_FAULTS: Final = "StoreFaults"
