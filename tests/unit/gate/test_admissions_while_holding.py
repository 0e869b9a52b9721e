"""What a gate that holds or probes says and writes: probes, waits and pauses, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reprise.gate.admit import Admission, AdmitStep, PermitRequest, admit
from reprise.gate.lease import EPOCH_MS, holding_spread_s
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.paused import pause, resume
from reprise.gate.state import Change, Condition, GateState, HeldFor, Mode
from strategies import NOW_MS

LEASE_MS = 90_000
HOLDING = GateState(
    mode=Mode.HOLDING,
    turn=5,
    window=40.0,
    slow_start=0,
    epoch=NOW_MS // EPOCH_MS,
    in_flight=10,
    waiting=100,
    held_for=HeldFor.THROTTLE,
    holding_since_ms=NOW_MS - 80_000,
    probe_at_ms=NOW_MS,
)
OTHERWISE = replace(DEFAULTS, first_window=3.0, gap_share=0.125)
OF_TURN = Condition(name="turn", relation="=", value=5)


def _step(
    gate: GateState,
    *,
    wanted: int = 10,
    most: int | None = None,
    parameters: GateParameters = DEFAULTS,
) -> AdmitStep:
    request = PermitRequest(wanted=wanted, owner="a", lease_ms=LEASE_MS, most=most)
    return admit(gate, request, now_ms=NOW_MS, parameters=parameters)


@pytest.mark.parametrize("mode", [Mode.HOLDING, Mode.PROBING])
@pytest.mark.parametrize(("most", "cap"), [(None, 0), (7, 7)])
@pytest.mark.parametrize(("parameters", "gap_s"), [(DEFAULTS, 8.0), (OTHERWISE, 10.0)])
def test_a_probe_that_is_due_is_leased_to_who_asks_and_the_others_come_after_the_gap(
    mode: Mode, most: int | None, cap: int, parameters: GateParameters, gap_s: float
) -> None:
    gate = replace(HOLDING, mode=mode)
    assert _step(gate, most=most, parameters=parameters) == AdmitStep(
        admission=Admission(
            permits=1,
            is_probe=True,
            turn=5,
            wait_s=gap_s,
            spread_s=holding_spread_s(gate, NOW_MS),
        ),
        change=Change(
            put={
                "mode": Mode.PROBING,
                "probe_owner": "a",
                "probe_at_ms": NOW_MS + LEASE_MS,
                "cap": cap,
            },
            when=(
                Condition(name="mode", relation="=", value=mode),
                Condition(name="probe_at_ms", relation="=", value=NOW_MS),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("mode", "due_in_s", "parameters", "wait_s"),
    [
        (Mode.HOLDING, 30.0, DEFAULTS, 30.0),
        (Mode.PROBING, 30.0, DEFAULTS, 8.0),
        (Mode.PROBING, 30.0, OTHERWISE, 10.0),
        (Mode.PROBING, 7.5, DEFAULTS, 7.5),
    ],
)
def test_before_a_probe_is_due_calls_wait_for_it_or_for_the_answer_of_one_on_its_way(
    mode: Mode, due_in_s: float, parameters: GateParameters, wait_s: float
) -> None:
    gate = replace(HOLDING, mode=mode, probe_at_ms=NOW_MS + round(1000 * due_in_s))
    spread_s = holding_spread_s(gate, NOW_MS)
    assert _step(gate, parameters=parameters) == AdmitStep(
        admission=Admission(permits=0, wait_s=wait_s, spread_s=spread_s)
    )


def test_a_pause_ends_when_somebody_wants_permits_and_its_calls_come_soon() -> None:
    paused = replace(HOLDING, held_for=HeldFor.PAUSED, waiting=250)
    waits = Admission(permits=0, wait_s=5.0, spread_s=5.0)
    resumed = resume(paused, NOW_MS, OTHERWISE)
    assert resumed == Change(
        put={
            "mode": Mode.FLOWING,
            "held_for": "",
            "window": 3.0,
            "slow_start": 1,
            "faults": 0,
            "holding_since_ms": 0,
            "changed_at_ms": NOW_MS,
        },
        add={"turn": 1},
        when=(
            OF_TURN,
            Condition(name="mode", relation="=", value=Mode.HOLDING),
        ),
    )
    assert _step(paused, parameters=OTHERWISE) == AdmitStep(admission=waits, change=resumed)
    assert _step(paused, wanted=0) == AdmitStep(admission=waits)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_pause_writes_a_hold_that_nobody_probes_and_when_it_was_noted(mode: Mode) -> None:
    gate = replace(HOLDING, mode=mode, probe_owner="b")
    assert pause(gate, NOW_MS) == Change(
        put={
            "mode": Mode.HOLDING,
            "held_for": HeldFor.PAUSED,
            "holding_since_ms": NOW_MS,
            "changed_at_ms": NOW_MS,
            "probe_at_ms": NOW_MS + 60_000,
            "probe_owner": "",
        },
        add={"turn": 1},
        when=(OF_TURN, Condition(name="mode", relation="=", value=mode)),
    )


def test_a_pause_that_is_seen_again_is_noted_for_who_saw_the_last_note() -> None:
    paused = replace(HOLDING, held_for=HeldFor.PAUSED, probe_at_ms=NOW_MS)
    assert pause(paused, NOW_MS - 1) is None
    assert pause(paused, NOW_MS) == Change(
        put={"probe_at_ms": NOW_MS + 60_000},
        when=(OF_TURN, Condition(name="probe_at_ms", relation="=", value=NOW_MS)),
    )


def test_who_wants_nothing_of_a_gate_that_holds_takes_no_probe() -> None:
    assert _step(HOLDING, wanted=0) == AdmitStep(
        admission=Admission(permits=0, spread_s=holding_spread_s(HOLDING, NOW_MS))
    )
