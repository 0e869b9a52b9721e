"""What throttles and failures write of a gate that flows: holds, cuts and counts, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reprise.gate.adjust import settle
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.samples import Samples
from reprise.gate.state import Change, GateState, HeldFor, Mode
from strategies import NOW_MS
from unit.gate.steady import STEADY, of_turn

THROTTLE, FAULT = HeldFor.THROTTLE, HeldFor.FAULT
OTHERWISE = replace(DEFAULTS, cut=0.5, fault_limit=20)


def _settle(gate: GateState, tally: Samples, parameters: GateParameters = DEFAULTS) -> Change:
    return settle(gate, tally, owner="a", now_ms=NOW_MS, parameters=parameters)


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"), [(0.0, 2.0), (1.999, 2.0), (2.001, 2.001), (60.0, 60.0)]
)
def test_a_hold_for_throttles_lasts_two_seconds_at_least_and_as_long_as_the_target_says(
    retry_after_s: float, wait_s: float
) -> None:
    gate = replace(STEADY, window=1.9, fault_holds=4)
    tally = Samples(turn=5, throttled=1, retry_after_s=retry_after_s)
    assert _settle(gate, tally) == Change(
        put={
            "mode": Mode.HOLDING,
            "held_for": THROTTLE,
            "fault_holds": 4,
            "holding_since_ms": NOW_MS,
            "changed_at_ms": NOW_MS,
            "probe_at_ms": NOW_MS + round(1000 * wait_s),
        },
        add={"turn": 1},
        when=of_turn(gate),
    )


@pytest.mark.parametrize(
    ("tally", "window"),
    [
        pytest.param(Samples(turn=5, throttled=1), 2.0, id="a permit is left"),
        pytest.param(Samples(turn=4, throttled=1), 1.9, id="admitted before the last cut"),
        pytest.param(Samples(turn=5, throttled=1, succeeded=1), 1.9, id="another succeeded"),
    ],
)
def test_throttles_hold_nothing_while_something_gets_through(tally: Samples, window: float) -> None:
    assert "mode" not in _settle(replace(STEADY, window=window), tally).put


@pytest.mark.parametrize(
    ("ended_ago_s", "holds", "faults", "holds_then"),
    [
        pytest.param(600, 3, 9, 1, id="long ago: the tenth, and the count begins again"),
        pytest.param(600, 3, 8, None, id="long ago: not the ninth"),
        pytest.param(599.999, 0, 9, 1, id="of late: the first"),
        pytest.param(599.999, 1, 18, None, id="of late: twice as many"),
        pytest.param(599.999, 1, 19, 2, id="of late: the twentieth"),
        pytest.param(599.999, 5, 318, None, id="five times: 320"),
        pytest.param(599.999, 9, 319, 10, id="and never more"),
    ],
)
def test_faults_in_a_row_hold_the_later_the_more_such_holds_a_success_has_ended(
    ended_ago_s: float, holds: int, faults: int, holds_then: int | None
) -> None:
    ended_at_ms = NOW_MS - round(1000 * ended_ago_s)
    gate = replace(STEADY, faults=faults, fault_holds=holds, fault_hold_ended_at_ms=ended_at_ms)
    change = _settle(gate, Samples(lost=1))
    if holds_then is None:
        assert (change.put, change.add["faults"]) == ({}, 1)
        return
    assert change == Change(
        put={
            "mode": Mode.HOLDING,
            "held_for": FAULT,
            "fault_holds": holds_then,
            "holding_since_ms": NOW_MS,
            "changed_at_ms": NOW_MS,
            "probe_at_ms": NOW_MS + 2000,
        },
        add={"turn": 1},
        when=of_turn(gate),
    )


def test_how_many_faults_hold_is_a_parameter_and_three_where_nothing_ever_succeeded() -> None:
    gate = replace(STEADY, faults=18)
    assert "mode" not in _settle(gate, Samples(lost=1), OTHERWISE).put
    assert _settle(gate, Samples(lost=2), OTHERWISE).put["held_for"] == FAULT
    never = replace(STEADY, succeeded_at_ms=0, faults=2)
    assert _settle(never, Samples(lost=1), OTHERWISE).put["held_for"] == FAULT
    hasty = replace(DEFAULTS, fault_limit=2)
    assert _settle(replace(never, faults=1), Samples(lost=1), hasty).put["held_for"] == FAULT


@pytest.mark.parametrize(
    ("slow_start", "in_flight", "window", "known"), [(0, 38, 20.0, 40.0), (1, 30, 27.0, 0.0)]
)
def test_a_cut_leaves_a_part_and_remembers_a_window_that_was_not_of_slow_start(
    slow_start: int, in_flight: int, window: float, known: float
) -> None:
    gate = replace(STEADY, slow_start=slow_start, in_flight=in_flight)
    assert _settle(gate, Samples(turn=5, throttled=8), OTHERWISE) == Change(
        put={
            "window": window,
            "slow_start": 0,
            "burst": 0,
            "burst_at_ms": NOW_MS,
            "known_window": known,
            "changed_at_ms": NOW_MS,
            "throttled_at_ms": NOW_MS,
        },
        add={"turn": 1},
        when=of_turn(gate),
    )


def test_throttles_within_a_service_time_are_added_up_and_later_ones_counted_anew() -> None:
    gate = replace(STEADY, burst=2, burst_at_ms=NOW_MS - 1000)
    tally = Samples(turn=5, throttled=1, handed=1, succeeded=1, busy_ms=5)
    grown = {"succeeded": 1, "busy_ms": 5}
    assert _settle(gate, tally) == Change(
        put={"throttled_at_ms": NOW_MS, "succeeded_at_ms": NOW_MS},
        add={**grown, "burst": 1, "window": -1.0},
    )
    assert _settle(replace(gate, burst_at_ms=NOW_MS - 1001), tally) == Change(
        put={
            "throttled_at_ms": NOW_MS,
            "succeeded_at_ms": NOW_MS,
            "burst": 1,
            "burst_at_ms": NOW_MS,
        },
        add={**grown, "window": -1.0},
    )


def test_a_success_forgets_faults_and_a_batch_of_nothing_but_ends_leaves_the_law_alone() -> None:
    gate = replace(STEADY, faults=3)
    tally = Samples(executed=1, succeeded=1, busy_ms=5, handed=2)
    assert _settle(gate, tally) == Change(
        put={"succeeded_at_ms": NOW_MS, "faults": 0}, add={"succeeded": 1, "busy_ms": 5}
    )
    assert _settle(gate, Samples(left=3)) == Change(
        put={"ended_at_ms": NOW_MS}, add={"waiting": -3}
    )


@pytest.mark.parametrize(("service_s", "apart_ms"), [(0.5, 1000), (1.0, 1000), (4.0, 4000)])
def test_cuts_are_a_second_apart_or_as_long_as_a_call_takes(
    service_s: float, apart_ms: int
) -> None:
    gate = replace(STEADY, busy_ms=round(10_000 * service_s))
    for since_ms, is_cut in [(apart_ms, True), (apart_ms - 1, False)]:
        recent = replace(gate, changed_at_ms=NOW_MS - since_ms)
        change = _settle(recent, Samples(turn=5, throttled=8))
        assert (change.put.get("window") == 16.0) is is_cut


def test_a_burst_is_counted_for_as_long_as_a_call_takes() -> None:
    gate = replace(STEADY, busy_ms=40_000, burst=2, burst_at_ms=NOW_MS - 4000)
    assert _settle(gate, Samples(turn=5, throttled=1)).add["burst"] == 1
    later = replace(gate, burst_at_ms=NOW_MS - 4001)
    assert _settle(later, Samples(turn=5, throttled=1)).put["burst"] == 1
