"""The window that the header of `limit` works through is what the functions compute."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, NamedTuple

from reprise.gate import limit
from reprise.gate.adjust import settle
from reprise.gate.samples import Samples
from reprise.gate.state import GateState, HeldFor, Mode
from strategies import NOW_MS

ROW: Final = re.compile(
    r"^ +(\d+) s +(\d+) +(\d+) +(held|[\d.]+) -> (held|[\d.]+) +\S", re.MULTILINE
)


class Row(NamedTuple):
    """One line of the trace."""

    at_s: int
    admitted: int
    throttled: int
    before: str
    after: str


def _rows() -> list[Row]:
    found = ROW.findall(limit.__doc__ or "")
    return [Row(int(row[0]), int(row[1]), int(row[2]), row[3], row[4]) for row in found]


def _told(gate: GateState) -> str:
    return f"{gate.window:.1f}" if gate.mode == Mode.FLOWING else "held"


def _settled(gate: GateState, row: Row) -> GateState:
    """Return the gate after a row: all its permits were out, and its calls took a second each."""
    is_probe = gate.mode != Mode.FLOWING
    if is_probe:
        gate = replace(gate, mode=Mode.PROBING, probe_owner="a")
    tally = Samples(
        is_probe=is_probe,
        turn=gate.turn,
        succeeded=row.admitted,
        busy_ms=1000 * row.admitted,
        throttled=row.throttled,
    )
    gate = replace(gate, in_flight=int(gate.window))
    return settle(gate, tally, owner="a", now_ms=NOW_MS + 1000 * row.at_s).apply(gate)


def test_the_worked_window_is_what_the_functions_compute() -> None:
    held_since_ms = NOW_MS - 600_000
    gate = GateState(mode=Mode.HOLDING, held_for=HeldFor.THROTTLE, holding_since_ms=held_since_ms)
    rows = _rows()
    assert len(rows) >= 12
    for row in rows:
        assert _told(gate) == row.before, row
        gate = _settled(gate, row)
        assert _told(gate) == row.after, row
    assert "held" in {row.after for row in rows}
