"""The states of a gate and what moves it, as a table; docs/explanation/replay-control.md draws it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from reprise.gate.image import Mode


class GateEvent(StrEnum):
    """What can happen to a gate."""

    REFUSED_AT_ONE = "throttled at a window of one"
    FAULTED = "faults in a row, none succeeding"
    PROBE_DUE = "a batch comes, and a probe is due"
    PROBE_RAN = "the probe shows room"
    PROBE_REFUSED = "the probe is throttled or fails"
    PROBE_UNUSED = "the probe's call had ended already"
    PROBE_LOST = "the probe's lease runs out"
    SUCCEEDED = "held for faults, and any call succeeds, live ones included"
    PAUSED = "its policy is not enabled"
    RESUMED = "its policy is enabled again"


TRANSITIONS: Final[dict[tuple[Mode, GateEvent], Mode]] = {
    (Mode.FLOWING, GateEvent.REFUSED_AT_ONE): Mode.HOLDING,
    (Mode.FLOWING, GateEvent.FAULTED): Mode.HOLDING,
    (Mode.HOLDING, GateEvent.PROBE_DUE): Mode.PROBING,
    (Mode.PROBING, GateEvent.PROBE_RAN): Mode.FLOWING,
    (Mode.PROBING, GateEvent.PROBE_REFUSED): Mode.HOLDING,
    (Mode.PROBING, GateEvent.PROBE_UNUSED): Mode.HOLDING,
    (Mode.PROBING, GateEvent.PROBE_LOST): Mode.PROBING,
    (Mode.HOLDING, GateEvent.SUCCEEDED): Mode.FLOWING,
    (Mode.PROBING, GateEvent.SUCCEEDED): Mode.FLOWING,
    (Mode.FLOWING, GateEvent.PAUSED): Mode.HOLDING,
    (Mode.PROBING, GateEvent.PAUSED): Mode.HOLDING,
    (Mode.HOLDING, GateEvent.PAUSED): Mode.HOLDING,
    (Mode.HOLDING, GateEvent.RESUMED): Mode.FLOWING,
}
"""Anything else leaves the mode as it is."""
