"""Watch the gates: gauge how they stand, and notice when a hold begins or ends.

Knows of a gate only what `GateLike` says, so that its rule can change without this.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from reprise import metric
from reprise.gate.session import EVERY_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.gate.state import Change, GateState, Updated
    from reprise.ports import GateItems, Meter

FLOWING, PROBING, HOLDING = "flowing", "probing", "holding"
LEVELS: Final = {FLOWING: 0, PROBING: 1, HOLDING: 2}
"""What the metric `GateState` shows."""


class GateLike(Protocol):
    """What is stored of a gate, as far as it is watched."""

    @property
    def mode(self) -> str:
        """Return `flowing`, `probing` or `holding`."""

    @property
    def holding_since_ms(self) -> int:
        """Return when the present hold began."""

    @property
    def window(self) -> float:
        """Return how many replays may run at once while it flows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChange:
    """A hold that began or ended; probes are part of their hold."""

    function: str
    before: GateLike | None
    """None if this process had not seen the gate before: then it flowed."""
    after: GateLike

    @property
    def is_holding(self) -> bool:
        """Tell whether the hold began."""
        return is_holding(self.after)


class TransitionLog:
    """Remembers what a process has seen of the gates; safe to use from several threads."""

    __slots__ = ("_changes", "_lock", "_seen", "_touched")

    def __init__(self) -> None:
        """Start with no gate seen."""
        self._lock = Lock()
        self._seen: dict[str, GateLike] = {}
        self._touched: set[str] = set()
        self._changes: list[GateChange] = []

    def saw(self, function: str, gate: GateLike, *, is_ours: bool = False) -> None:
        """Note how a gate stands.

        Args:
            function: The target's ARN.
            gate: As read, or as written.
            is_ours: Whether this process has just made it so: then a change is its to tell.
        """
        with self._lock:
            before = self._seen.get(function)
            if is_ours and is_holding(before) != is_holding(gate):
                change = GateChange(function=function, before=before, after=gate)
                self._changes.append(change)
            self._seen[function] = gate
            self._touched.add(function)

    def report(self, meter: Meter, now_ms: int) -> list[GateChange]:
        """Gauge the gates that were asked since the last report; return the holds that began or ended."""
        with self._lock:
            touched = {function: self._seen[function] for function in sorted(self._touched)}
            self._touched.clear()
            changed, self._changes = self._changes, []
        for function, gate in touched.items():
            for name, value in gauges(gate, now_ms):
                meter.observe(name, value, target=function)
        return changed


class RecordingGates:
    """A store of gates whose readers and writers are watched."""

    __slots__ = ("_gates", "_log")

    def __init__(self, gates: GateItems, log: TransitionLog) -> None:
        """Watch these gates."""
        self._gates = gates
        self._log = log

    def read(self, function: str) -> GateState:
        """Return a gate as last known; a new one flows."""
        image = self._gates.read(function)
        self._saw(function, image)
        return image

    def update(self, function: str, change: Change) -> Updated:
        """Make a change if its conditions hold."""
        updated = self._gates.update(function, change)
        self._saw(function, updated.image, is_ours=updated.applied)
        return updated

    def _saw(self, function: str, image: GateState, *, is_ours: bool = False) -> None:
        # The item of all targets notes throttles of the account; nothing flows through it.
        if function != EVERY_TARGET:
            self._log.saw(function, image, is_ours=is_ours)


def is_holding(gate: GateLike | None) -> bool:
    """Tell whether a gate holds, probing or not; one that nobody has seen flows."""
    return gate is not None and gate.mode != FLOWING


def gauges(gate: GateLike, now_ms: int) -> Iterator[tuple[str, float]]:
    """Yield the metrics that say how a gate stands."""
    yield metric.GATE_STATE, LEVELS[gate.mode]
    held_ms = now_ms - gate.holding_since_ms if is_holding(gate) else 0
    yield metric.GATE_HOLD_AGE, max(0, held_ms) / 1000
    yield metric.GATE_WINDOW, float({HOLDING: 0, PROBING: 1}.get(gate.mode, gate.window))
