"""Watch the gates through their store: gauge how they stand, and notice when a hold begins or ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.gate.state import GateState, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.ports import GateStore, Meter

LEVELS: Final = {Mode.FLOWING: 0, Mode.PROBING: 1, Mode.HOLDING: 2}
"""What `GateState` shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChange:
    """A hold that began or ended; probes are part of their hold."""

    function: str
    before: GateState
    after: GateState

    @property
    def is_holding(self) -> bool:
        """Tell whether the hold began."""
        return self.after.mode is not Mode.FLOWING


class WatchedGates:
    """A store of gates that remembers what this process has seen of them."""

    __slots__ = ("_changes", "_seen", "_store", "_touched")

    def __init__(self, store: GateStore) -> None:
        """Watch this store."""
        self._store = store
        self._seen: dict[str, GateState] = {}
        self._touched: set[str] = set()
        self._changes: list[GateChange] = []

    def read(self, function: str) -> GateState:
        """Return a gate as last known; a new one flows."""
        return self._see(function, self._store.read(function))

    def write(self, function: str, state: GateState) -> GateState | None:
        """Write a state computed from its `version`; return None, or what is there instead."""
        other = self._store.write(function, state)
        if other is not None:
            return self._see(function, other)
        before = self._seen.get(function, GateState())
        if (before.mode is Mode.FLOWING) != (state.mode is Mode.FLOWING):
            self._changes.append(GateChange(function=function, before=before, after=state))
        self._see(function, state)
        return None

    def report(self, meter: Meter, now_ms: int) -> list[GateChange]:
        """Gauge the gates that were asked since the last report; return the holds that began or ended."""
        for function in sorted(self._touched):
            for name, value in gauges(self._seen[function], now_ms):
                meter.observe(name, value, target=function)
        self._touched.clear()
        changed, self._changes = self._changes, []
        return changed

    def _see(self, function: str, state: GateState) -> GateState:
        self._seen[function] = state
        self._touched.add(function)
        return state


def gauges(state: GateState, now_ms: int) -> Iterator[tuple[str, float]]:
    """Yield the metrics that say how a gate stands."""
    yield metric.GATE_STATE, LEVELS[state.mode]
    held_ms = now_ms - state.holding_since_ms if state.mode is not Mode.FLOWING else 0
    yield metric.GATE_HOLD_AGE, max(0, held_ms) / 1000
    # A rule without a window lets everything through while it flows: then there is no number to show.
    window = {Mode.HOLDING: 0, Mode.PROBING: 1}.get(state.mode, getattr(state, "window", None))
    if window is not None:
        yield metric.GATE_WINDOW, float(window)
