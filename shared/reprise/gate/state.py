"""What is stored of a target's gate, the changes that can be made to it, and its modes as a table.

The modes are those of a circuit breaker, by our words: flowing is CLOSED, probing HALF_OPEN, holding OPEN.
docs/explanation/replay-control.md draws the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = int | float | str


class Mode(StrEnum):
    """How a gate stands."""

    FLOWING = "flowing"
    """Replays go through, as many at once as the window says."""
    PROBING = "probing"
    """One replay is on its way, to find out."""
    HOLDING = "holding"
    """Nothing goes through until the next probe."""


class HeldFor(StrEnum):
    """Why a gate holds."""

    THROTTLE = "throttle"
    """The target refuses everything."""
    FAULT = "fault"
    """Distinct calls fail one after the other, and none succeeds."""
    PAUSED = "paused"
    """Its policy is not enabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """The item of one target; instants in milliseconds since the epoch, 0 for never."""

    mode: str = Mode.FLOWING
    turn: int = 0
    """Counts changes of the mode and cuts: who decides on an older turn decides nothing."""
    window: float = 2.0
    """Permits that may be out at once while flowing, at least 1."""
    cap: int = 0
    """Bound of the window by its target's concurrency and policy, as a replayer knew it; 0 for none."""
    slow_start: int = 1
    """1 while the window grows by multiples, 0 after its first cut."""
    in_flight: int = 0
    """Permits that are out."""
    epoch: int = 0
    """Number of the present epoch; `leased_*` count permits by the epoch in which their lease ends."""
    leased_0: int = 0
    leased_1: int = 0
    leased_2: int = 0
    leased_3: int = 0
    leased_4: int = 0
    leased_5: int = 0
    leased_6: int = 0
    leased_7: int = 0
    leased_8: int = 0
    leased_9: int = 0
    leased_10: int = 0
    leased_11: int = 0
    leased_12: int = 0
    leased_13: int = 0
    leased_14: int = 0
    leased_15: int = 0
    changed_at_ms: int = 0
    """Last cut, hold or resume: an attempt admitted before it says nothing new."""
    throttled_at_ms: int = 0
    """Last throttle seen."""
    burst: int = 0
    """Throttles counted together, since `burst_at_ms`: a service time later they are counted anew."""
    burst_at_ms: int = 0
    known_window: float = 0.0
    """Window before the last burst; 0 if there was none."""
    faults: int = 0
    """Failures in a row without a success between them, by changes that are added up."""
    held_for: str = ""
    """Why it holds, or last held: one of `HeldFor`, or empty."""
    holding_since_ms: int = 0
    probe_at_ms: int = 0
    """Holding: when the next probe may go. Probing: when the probe's lease runs out."""
    probe_owner: str = ""
    probed_at_ms: int = 0
    """When a probe last failed."""
    fault_holds: int = 0
    """Holds for failures that followed each other, the present or last one included."""
    fault_hold_ended_at_ms: int = 0
    succeeded: int = 0
    """Successes since the last resume."""
    busy_ms: int = 0
    """Time that those took together."""
    succeeded_at_ms: int = 0
    """Last success: proof that the target works."""
    ended_at_ms: int = 0
    """Last end of a call, by success or by being given up."""
    waiting: int = 0
    """Calls that were expanded, and neither ended nor failed yet: an estimate, used for delays only."""
    folded_objects: int = 0
    """Objects that were left folded: an estimate, too."""
    folded_records: int = 0
    expanded_at_ms: int = 0
    """Last expansion."""
    offered_at_ms: int = 0
    """Last expansion that was due by the count of what waits, and not because nothing of that came."""
    open_until_ms: int = 0
    """Until then a call with a key may be one that was captured, whatever is counted here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must hold of the stored item; a missing attribute has the image's default."""

    name: str
    relation: Literal["=", "<="]
    value: Value

    def holds(self, image: GateState) -> bool:
        """Tell whether it holds of an image."""
        present = getattr(image, self.name)
        return bool(present == self.value if self.relation == "=" else present <= self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One conditional update of one item."""

    put: Mapping[str, Value] = field(default_factory=dict)
    add: Mapping[str, int | float] = field(default_factory=dict)
    when: tuple[Condition, ...] = ()

    def apply(self, image: GateState) -> GateState:
        """Return an image after this change; whether it may be made is not asked."""
        values: dict[str, Any] = dict(self.put)
        for name, amount in self.add.items():
            values[name] = getattr(image, name) + amount
        return replace(image, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """The answer to a change."""

    applied: bool
    image: GateState
    """The item after the change, or as it is if the conditions did not hold."""


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


def diagram() -> str:
    """Return a state diagram in mermaid's language; equal tables give equal text."""
    lines = ["stateDiagram-v2", f"    [*] --> {Mode.FLOWING.value}"]
    lines += [
        f"    {source.value} --> {target.value}: {event.value}"
        for (source, event), target in TRANSITIONS.items()
    ]
    return "\n".join(lines)
