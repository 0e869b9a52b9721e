"""Who gets permits, and what becomes of the permits of the dead."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.admit import Admission, PermitRequest, admit
from reprise.gate.lease import EPOCH_MS, slot_name
from reprise.gate.limit import IDLE_S, gap_s
from reprise.gate.parameters import DEFAULTS
from reprise.gate.state import GateState, Mode
from strategies import NOW_MS

LEASE_MS = 90_000
EPOCH = NOW_MS // EPOCH_MS
FLOWING = GateState(
    window=40.0, slow_start=0, epoch=EPOCH, succeeded=100, busy_ms=100_000, succeeded_at_ms=NOW_MS
)
HOLDING = GateState(mode=Mode.HOLDING, holding_since_ms=NOW_MS - 40_000, probe_at_ms=NOW_MS + 3000)


def _ask(
    gate: GateState,
    *,
    wanted: int = 10,
    now_ms: int = NOW_MS,
    most: int | None = None,
    wide: GateState | None = None,
) -> tuple[Admission, GateState]:
    request = PermitRequest(wanted=wanted, owner="a", lease_ms=LEASE_MS, most=most)
    step = admit(gate, request, now_ms=now_ms, wide=wide)
    if step.change is None:
        assert step.admission.permits == 0
        return step.admission, gate
    assert all(condition.holds(gate) for condition in step.change.when)
    return step.admission, step.change.apply(gate)


def test_a_batch_takes_what_it_wants_from_a_wide_window() -> None:
    admission, after = _ask(FLOWING)
    assert (admission.permits, after.in_flight, after.epoch) == (10, 10, EPOCH)
    assert admission.epoch == (NOW_MS + LEASE_MS) // EPOCH_MS
    assert getattr(after, slot_name(admission.epoch)) == 10


def test_permits_are_not_taken_twice_by_two_batches_that_saw_the_same_gate() -> None:
    gate = replace(FLOWING, window=12.0)
    request = PermitRequest(wanted=10, owner="a", lease_ms=LEASE_MS, most=None)
    first, second = (admit(gate, request, now_ms=NOW_MS, wide=None) for _ in range(2))
    assert first.change is not None
    assert second.change is not None
    assert first.admission.permits + second.admission.permits > gate.window

    after = first.change.apply(gate)

    assert not all(condition.holds(after) for condition in second.change.when)


def test_a_batch_takes_a_third_from_a_scarce_one_and_runs_its_calls_after_each_other() -> None:
    assert _ask(replace(FLOWING, in_flight=30))[0].permits == 4
    slow = replace(FLOWING, in_flight=30, busy_ms=3_000_000)
    assert _ask(slow)[0].permits == 10


def test_one_permit_serves_a_whole_batch_of_short_calls_for_three_seconds_at_most() -> None:
    assert _ask(replace(FLOWING, in_flight=30, busy_ms=30_000))[0].permits == 1
    assert _ask(replace(FLOWING, in_flight=30, busy_ms=50_000))[0].permits == 2


def test_a_batch_is_refused_what_is_not_worth_its_writes() -> None:
    assert _ask(replace(FLOWING, in_flight=39))[0].permits == 0
    assert _ask(replace(FLOWING, in_flight=38))[0].permits == 2
    assert _ask(replace(FLOWING, in_flight=39), wanted=1)[0].permits == 1


def test_nobody_is_admitted_for_a_moment_after_a_throttle() -> None:
    braked = replace(FLOWING, throttled_at_ms=NOW_MS - 299)
    assert _ask(braked)[0].permits == 0
    assert _ask(braked, now_ms=NOW_MS + 1)[0].permits == 10
    assert _ask(FLOWING, wide=GateState(throttled_at_ms=NOW_MS))[0].permits == 0


def test_a_cut_made_for_every_target_is_made_here_once() -> None:
    wide = GateState(changed_at_ms=NOW_MS - 5000, throttled_at_ms=NOW_MS - 5000)
    _, after = _ask(FLOWING, wide=wide)
    assert (after.window, after.turn) == (40 * DEFAULTS.cut, 1)
    _, again = _ask(after, wide=wide, wanted=1)
    assert (again.window, again.turn) == (after.window, 1)


def test_a_cap_bounds_the_window_and_is_noted() -> None:
    admission, after = _ask(FLOWING, most=3)
    assert (admission.permits, after.window, after.cap) == (3, 3, 3)
    assert _ask(replace(FLOWING, in_flight=3), most=3)[0].permits == 0


def test_a_probe_notes_the_cap_too() -> None:
    _, after = _ask(HOLDING, most=1, now_ms=HOLDING.probe_at_ms)
    assert (after.mode, after.cap) == (Mode.PROBING, 1)


def test_a_cap_that_was_lifted_bounds_nothing() -> None:
    capped = replace(FLOWING, window=3.0, cap=3)
    assert _ask(capped, most=40)[1].cap == 40
    assert _ask(capped, most=None)[1].cap == 0


def test_a_cap_does_not_undo_a_cut_that_came_between() -> None:
    request = PermitRequest(wanted=1, owner="a", lease_ms=LEASE_MS, most=30)
    change = admit(FLOWING, request, now_ms=NOW_MS).change
    assert change is not None
    cut = replace(FLOWING, window=16.0, turn=FLOWING.turn + 1)
    assert not all(condition.holds(cut) for condition in change.when)


def test_a_gate_that_nobody_used_starts_over() -> None:
    later_ms = NOW_MS + round(IDLE_S * 1000) + 1
    admission, after = _ask(FLOWING, now_ms=later_ms)
    assert (admission.permits, after.window, after.slow_start) == (2, 2, 1)


@pytest.mark.parametrize("gate", [HOLDING, replace(HOLDING, mode=Mode.PROBING, probe_owner="b")])
def test_one_call_is_the_probe_when_its_time_has_come(gate: GateState) -> None:
    admission, _ = _ask(gate, now_ms=NOW_MS + 2999)
    assert admission.permits == 0
    assert admission.wait_s == pytest.approx(0.001)
    admission, after = _ask(gate, now_ms=NOW_MS + 3000)
    assert (admission.permits, admission.is_probe) == (1, True)
    assert (after.mode, after.probe_owner) == (Mode.PROBING, "a")
    assert after.probe_at_ms == NOW_MS + 3000 + LEASE_MS


def test_a_probe_keeps_others_waiting_no_longer_than_its_answer_usually_takes() -> None:
    probing = replace(HOLDING, mode=Mode.PROBING, probe_at_ms=NOW_MS + 80_000)
    assert _ask(probing)[0].wait_s == 4


@pytest.mark.parametrize(
    ("age_s", "spread_s"), [(8, 4), (120, 30), (1800, 60), (10_800, 216), (21_600, 864)]
)
def test_calls_of_a_holding_target_spread_the_farther_the_longer_it_holds(
    age_s: int, spread_s: float
) -> None:
    gate = replace(HOLDING, holding_since_ms=NOW_MS - 1000 * age_s, waiting=1000)
    assert _ask(gate)[0].spread_s == pytest.approx(spread_s)


@pytest.mark.parametrize(
    ("waiting", "age_s", "spread_s"),
    [(3, 8, 4), (3, 120, 20), (3, 10_800, 20), (25, 10_800, 62.5), (3, 21_600, 668)],
)
def test_few_calls_come_back_sooner_for_three_hours(
    waiting: int, age_s: int, spread_s: float
) -> None:
    gate = replace(HOLDING, holding_since_ms=NOW_MS - 1000 * age_s, waiting=waiting)
    assert _ask(gate)[0].spread_s == pytest.approx(spread_s)


def test_ten_days_of_a_hold_cost_a_call_fewer_deliveries_than_it_has() -> None:
    random, at_ms, deliveries = Random(1), NOW_MS, 0
    while at_ms < NOW_MS + 10 * 86_400_000:
        hold = replace(HOLDING, holding_since_ms=NOW_MS)
        wait_s = random.uniform(0, gap_s(hold, at_ms))
        admission, _ = _ask(
            replace(hold, probe_at_ms=at_ms + round(1000 * wait_s) + 1), now_ms=at_ms
        )
        at_ms += round(1000 * (admission.wait_s + random.random() * admission.spread_s))
        deliveries += 1
    assert deliveries < 900


@given(
    window=st.floats(1, 1e4),
    in_flight=st.integers(-10, 10_000),
    wanted=st.integers(0, 10),
    most=st.none() | st.integers(1, 1000),
    busy_ms=st.integers(0, 10**7),
    age_ms=st.integers(0, 10**6),
)
def test_no_batch_gets_more_than_the_window_leaves(
    window: float, in_flight: int, wanted: int, most: int | None, busy_ms: int, age_ms: int
) -> None:
    gate = replace(FLOWING, window=window, in_flight=in_flight, busy_ms=busy_ms)
    admission, after = _ask(gate, wanted=wanted, most=most, now_ms=NOW_MS + age_ms)
    assert 0 <= admission.permits <= wanted
    if admission.permits:
        assert after.in_flight <= max(1, min(window, most or window))
    assert 0 <= admission.wait_s + admission.spread_s <= 900
