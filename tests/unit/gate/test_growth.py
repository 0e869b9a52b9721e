"""When a window grows at all, and the bounds of what it gains and keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reprise.gate.limit import cut_to, growth_of
from reprise.gate.parameters import DEFAULTS
from reprise.gate.samples import Samples
from reprise.gate.state import GateState
from strategies import NOW_MS

STEADY = GateState(
    turn=5,
    window=40.0,
    slow_start=0,
    in_flight=40,
    succeeded=10,
    busy_ms=10_000,
    throttled_at_ms=NOW_MS,
    changed_at_ms=NOW_MS,
)


def _growth(gate: GateState, tally: Samples) -> float:
    return growth_of(gate, tally, NOW_MS, DEFAULTS)


@pytest.mark.parametrize(("in_flight", "grows"), [(28, False), (29, True)])
@pytest.mark.parametrize(("slow_start", "each"), [(0, DEFAULTS.refused_share), (1, 3.0)])
def test_a_window_grows_if_three_quarters_of_it_are_in_use_or_were_until_just_now(
    in_flight: int, slow_start: int, each: float, *, grows: bool
) -> None:
    gate = replace(STEADY, slow_start=slow_start, in_flight=in_flight)
    assert _growth(gate, Samples(succeeded=5)) == pytest.approx(5 * each if grows else 0.0)


@pytest.mark.parametrize("in_flight", [0, 40])
def test_a_slow_start_does_not_move_by_throttles_of_before_its_last_cut(in_flight: int) -> None:
    gate = replace(STEADY, slow_start=1, in_flight=in_flight)
    tally = Samples(turn=4, succeeded=5, throttled=1)
    assert cut_to(gate, tally, NOW_MS, DEFAULTS) is None
    assert _growth(gate, tally) == 0.0


def test_a_slow_start_goes_on_as_others_do_from_the_window_before_the_last_burst() -> None:
    gate = replace(STEADY, slow_start=1, known_window=40.0)
    assert _growth(gate, Samples(succeeded=5)) == pytest.approx(5 * DEFAULTS.refused_share)
    assert _growth(replace(gate, window=39.0), Samples(succeeded=5)) == 1.0


def test_however_long_it_was_quiet_a_fresh_attempt_brings_one_permit_at_most() -> None:
    gate = replace(STEADY, window=2.0, in_flight=2, throttled_at_ms=0, changed_at_ms=0)
    assert _growth(gate, Samples(succeeded=3)) == 3.0


@pytest.mark.parametrize(("in_flight", "left"), [(1, 1.0), (10, 9.0), (60, 36.0)])
def test_the_first_throttle_leaves_nine_tenths_of_what_is_in_use_and_one_permit_at_least(
    in_flight: int, left: float
) -> None:
    gate = replace(STEADY, slow_start=1, in_flight=in_flight)
    assert cut_to(gate, Samples(turn=5, throttled=1), NOW_MS, DEFAULTS) == left
