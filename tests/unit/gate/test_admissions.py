"""What each answer to a batch says and writes: this and nothing else, for the gate that was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reprise.gate.admit import Admission, AdmitStep, PermitRequest, admit
from reprise.gate.lease import EPOCH_MS, flowing_wait_s, slot_name
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.state import Change, Condition, GateState, Mode
from strategies import NOW_MS

LEASE_MS = 90_000
EPOCH = NOW_MS // EPOCH_MS
ENDS = (NOW_MS + LEASE_MS) // EPOCH_MS
SLOT = slot_name(ENDS)
FLOWING = GateState(
    turn=5,
    window=40.0,
    slow_start=0,
    epoch=EPOCH,
    in_flight=10,
    waiting=100,
    succeeded=100,
    busy_ms=100_000,
    succeeded_at_ms=NOW_MS,
)
OTHERWISE = replace(DEFAULTS, first_window=3.0, cut=0.5, brake_s=1.0, room_s=2.0)
FLOWS = Condition(name="mode", relation="=", value=Mode.FLOWING)
OF_TURN = Condition(name="turn", relation="=", value=5)


def _step(
    gate: GateState,
    *,
    wanted: int = 10,
    most: int | None = None,
    wide: GateState | None = None,
    parameters: GateParameters = DEFAULTS,
) -> AdmitStep:
    request = PermitRequest(wanted=wanted, owner="a", lease_ms=LEASE_MS, most=most)
    return admit(gate, request, now_ms=NOW_MS, wide=wide, parameters=parameters)


def _fits(most_out: int) -> Condition:
    return Condition(name="in_flight", relation="<=", value=most_out)


def _admission(gate: GateState, permits: int) -> Admission:
    wait_s, spread_s = flowing_wait_s(gate, NOW_MS)
    if not permits:
        return Admission(permits=0, wait_s=wait_s, spread_s=spread_s)
    return Admission(permits=permits, epoch=ENDS, turn=5, wait_s=wait_s, spread_s=spread_s)


def test_permits_are_counted_in_the_slot_of_their_end_and_taken_only_if_they_still_fit() -> None:
    assert _step(FLOWING) == AdmitStep(
        admission=_admission(FLOWING, 10),
        change=Change(add={SLOT: 10, "in_flight": 10}, when=(FLOWS, _fits(30))),
    )


def test_a_new_epoch_counts_what_is_out_anew_and_holds_for_what_it_was_counted_from() -> None:
    gone = slot_name(EPOCH - 1)
    gate = replace(FLOWING, epoch=EPOCH - 1, **{gone: 4, slot_name(EPOCH): 3})  # type: ignore[arg-type]
    assert _step(gate) == AdmitStep(
        admission=_admission(gate, 10),
        change=Change(
            put={"epoch": EPOCH, gone: 0, "in_flight": 13},
            add={SLOT: 10},
            when=(
                FLOWS,
                Condition(name="epoch", relation="=", value=EPOCH - 1),
                Condition(name="in_flight", relation="=", value=10),
                Condition(name=gone, relation="=", value=4),
            ),
        ),
    )


def test_a_slot_that_is_emptied_is_filled_anew() -> None:
    gate = replace(FLOWING, epoch=ENDS - 16, **{SLOT: 9})  # type: ignore[arg-type]
    change = _step(gate).change
    assert change is not None
    assert (change.put[SLOT], change.put["in_flight"], change.add) == (10, 10, {})


@pytest.mark.parametrize(
    ("parameters", "window"), [(DEFAULTS, 16.0), (OTHERWISE, 20.0)], ids=["0.4", "0.5"]
)
def test_a_cut_for_every_target_is_made_with_the_admission_and_ends_slow_start(
    parameters: GateParameters, window: float
) -> None:
    gate = replace(FLOWING, in_flight=0, slow_start=1, changed_at_ms=NOW_MS - 9000)
    wide = GateState(changed_at_ms=NOW_MS - 8999)
    assert _step(gate, wide=wide, parameters=parameters) == AdmitStep(
        admission=_admission(gate, 10),
        change=Change(
            put={"window": window, "slow_start": 0, "changed_at_ms": NOW_MS},
            add={"turn": 1, SLOT: 10, "in_flight": 10},
            when=(FLOWS, _fits(int(window) - 10), OF_TURN),
        ),
    )
    told = replace(wide, changed_at_ms=gate.changed_at_ms)
    change = _step(gate, wide=told, parameters=parameters).change
    assert change is not None
    assert "window" not in change.put


@pytest.mark.parametrize(
    ("window", "parameters", "after"),
    [(40.0, DEFAULTS, 2), (40.0, OTHERWISE, 3), (1.5, DEFAULTS, 1)],
)
def test_an_idle_gate_starts_over_with_a_window_no_wider_than_it_had(
    window: float, parameters: GateParameters, after: int
) -> None:
    gate = replace(FLOWING, window=window, in_flight=0, succeeded_at_ms=NOW_MS - 60_001)
    assert _step(gate, parameters=parameters) == AdmitStep(
        admission=_admission(gate, after),
        change=Change(
            put={
                "window": min(window, parameters.first_window),
                "slow_start": 1,
                "changed_at_ms": NOW_MS,
            },
            add={"turn": 1, SLOT: after, "in_flight": after},
            when=(FLOWS, _fits(0), OF_TURN),
        ),
    )


def test_a_gate_that_was_never_used_is_not_idle_but_new() -> None:
    new = GateState(turn=5, window=9.0)
    change = _step(new).change
    assert change is not None
    assert "window" not in change.put


@pytest.mark.parametrize(
    ("cap", "most", "put", "conditions"),
    [
        pytest.param(7, None, {"cap": 0}, (), id="lifted"),
        pytest.param(40, 40, {}, (), id="as it was"),
        pytest.param(0, 40, {"cap": 40}, (), id="new, and not below the window"),
        pytest.param(0, 39, {"cap": 39, "window": 39.0}, (OF_TURN,), id="below the window"),
        pytest.param(39, 39, {"window": 39.0}, (OF_TURN,), id="known, and below the window"),
    ],
)
def test_a_cap_is_noted_when_it_is_news_and_takes_back_a_window_above_it(
    cap: int, most: int | None, put: dict[str, float], conditions: tuple[Condition, ...]
) -> None:
    gate = replace(FLOWING, cap=cap)
    fits = _fits(int(put.get("window", 40)) - 10)
    assert _step(gate, most=most) == AdmitStep(
        admission=_admission(gate, 10),
        change=Change(put=put, add={SLOT: 10, "in_flight": 10}, when=(FLOWS, fits, *conditions)),
    )


def test_a_cap_above_what_a_cut_leaves_widens_nothing() -> None:
    wide = GateState(changed_at_ms=NOW_MS - 1000)
    change = _step(replace(FLOWING, in_flight=0), most=30, wide=wide).change
    assert change is not None
    assert (change.put["window"], change.put["cap"]) == (16.0, 30)
    change = _step(replace(FLOWING, in_flight=0), most=15, wide=wide).change
    assert change is not None
    assert (change.put["window"], change.put["cap"]) == (15.0, 15)


@pytest.mark.parametrize(
    ("braked_ms_ago", "parameters", "permits"),
    [(299, DEFAULTS, 0), (300, DEFAULTS, 10), (999, OTHERWISE, 0), (1000, OTHERWISE, 10)],
)
def test_the_brake_lasts_as_long_as_its_parameter_says(
    braked_ms_ago: int, parameters: GateParameters, permits: int
) -> None:
    at_ms = NOW_MS - braked_ms_ago
    own = replace(FLOWING, throttled_at_ms=at_ms)
    assert _step(own, parameters=parameters).admission == _admission(own, permits)
    wide = GateState(throttled_at_ms=at_ms)
    assert _step(FLOWING, wide=wide, parameters=parameters).admission.permits == permits


@pytest.mark.parametrize(
    ("in_flight", "parameters", "permits"),
    [
        (20, DEFAULTS, 10),
        (21, DEFAULTS, 4),
        (21, OTHERWISE, 5),
        (38, DEFAULTS, 2),
        (39, DEFAULTS, 0),
    ],
)
def test_a_scarce_window_gives_as_many_permits_as_its_rounds_need_and_none_not_worth_a_write(
    in_flight: int, parameters: GateParameters, permits: int
) -> None:
    gate = replace(FLOWING, in_flight=in_flight)
    step = _step(gate, parameters=parameters)
    assert step.admission == _admission(gate, permits)
    assert (step.change is None) == (permits == 0)


def test_a_window_below_one_is_one() -> None:
    assert _step(replace(FLOWING, window=0.5, in_flight=0)).admission.permits == 1


def test_who_wants_nothing_is_told_when_to_come_again_and_takes_nothing() -> None:
    assert _step(FLOWING, wanted=0) == AdmitStep(admission=_admission(FLOWING, 0))
