"""What each decision writes of a gate: this and nothing else, for the turn and mode that it was made from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reprise.gate.adjust import after_live_success, is_choosy, settle
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.samples import Samples
from reprise.gate.state import Change, Condition, GateState, HeldFor, Mode
from strategies import NOW_MS
from unit.gate.steady import STEADY, of_turn

if TYPE_CHECKING:
    from reprise.gate.state import Value

THROTTLE, FAULT = HeldFor.THROTTLE, HeldFor.FAULT
PROBING = replace(
    STEADY,
    mode=Mode.PROBING,
    probe_owner="a",
    held_for=THROTTLE,
    holding_since_ms=NOW_MS - 50_000,
)
STARTED_OVER: dict[str, Value] = {
    "mode": Mode.FLOWING,
    "window": 2.0,
    "slow_start": 1,
    "faults": 0,
    "holding_since_ms": 0,
    "changed_at_ms": NOW_MS,
    "probe_owner": "",
}
OTHERWISE = GateParameters(
    first_window=3.0,
    ramp=2.0,
    refused_share=0.01,
    quiet_s=5.0,
    cut=0.5,
    brake_s=1.0,
    fault_limit=20,
    gap_share=0.15,
    room_s=1.0,
)


def _settle(
    gate: GateState, tally: Samples, parameters: GateParameters = DEFAULTS, *, owner: str = "a"
) -> Change:
    return settle(gate, tally, owner=owner, now_ms=NOW_MS, parameters=parameters)


OURS = Condition(name="probe_owner", relation="=", value="a")
RETURNED = Condition(name="epoch", relation="<=", value=100)
"""No later epoch has given the permits of epoch 100 back."""


@pytest.mark.parametrize(
    ("held_for", "parameters", "window"), [(THROTTLE, DEFAULTS, 2.0), (FAULT, OTHERWISE, 3.0)]
)
def test_a_probe_that_succeeds_starts_the_target_over_and_notes_the_end_of_a_hold_for_faults(
    held_for: HeldFor, parameters: GateParameters, window: float
) -> None:
    gate = replace(PROBING, held_for=held_for, faults=7)
    tally = Samples(is_probe=True, succeeded=1, busy_ms=900, left=1)
    noted = {"fault_hold_ended_at_ms": NOW_MS} if held_for is FAULT else {}
    started = {**STARTED_OVER, "window": window, "succeeded": 1, "busy_ms": 900}
    assert _settle(gate, tally, parameters) == Change(
        put={**noted, **started, "succeeded_at_ms": NOW_MS, "ended_at_ms": NOW_MS},
        add={"turn": 1, "waiting": -1},
        when=of_turn(gate, OURS),
    )


@pytest.mark.parametrize("tally", [Samples(executed=1), Samples(suspects=1)])
def test_a_probe_that_ran_and_failed_after_throttles_shows_room_and_is_one_fault(
    tally: Samples,
) -> None:
    tally.is_probe = True
    assert _settle(PROBING, tally) == Change(
        put={**STARTED_OVER, "faults": 1, "succeeded": 0, "busy_ms": 0},
        add={"turn": 1},
        when=of_turn(PROBING, OURS),
    )


@pytest.mark.parametrize(
    ("retry_after_s", "parameters", "gap_s"),
    [(0.0, DEFAULTS, 5.0), (0.0, OTHERWISE, 7.5), (30.5, DEFAULTS, 30.5)],
)
def test_a_probe_that_is_refused_notes_when_and_the_next_comes_after_a_gap_or_the_targets_own_word(
    retry_after_s: float, parameters: GateParameters, gap_s: float
) -> None:
    tally = Samples(is_probe=True, throttled=1, retry_after_s=retry_after_s)
    assert _settle(PROBING, tally, parameters) == Change(
        put={
            "probed_at_ms": NOW_MS,
            "mode": Mode.HOLDING,
            "probe_owner": "",
            "probe_at_ms": NOW_MS + round(1000 * gap_s),
        },
        add={"turn": 1},
        when=of_turn(PROBING, OURS),
    )


def test_a_probe_whose_call_had_ended_already_lets_the_next_one_go_at_once() -> None:
    assert _settle(PROBING, Samples(is_probe=True)) == Change(
        put={"mode": Mode.HOLDING, "probe_owner": "", "probe_at_ms": NOW_MS},
        add={"turn": 1},
        when=of_turn(PROBING, OURS),
    )


@pytest.mark.parametrize(
    ("gate", "owner"),
    [(PROBING, "b"), (replace(PROBING, mode=Mode.HOLDING), "a"), (STEADY, "a")],
    ids=["of another", "taken over and over", "over"],
)
def test_a_probe_that_is_no_longer_the_gates_only_brings_its_permits_back(
    gate: GateState, owner: str
) -> None:
    tally = Samples(is_probe=True, throttled=1, left=2, returned={100: 2, 101: 3, 99: 4, 102: 0})
    assert _settle(gate, tally, owner=owner) == Change(
        put={"ended_at_ms": NOW_MS},
        add={"leased_4": -2, "leased_5": -3, "in_flight": -5, "waiting": -2},
        when=(RETURNED,),
    )


@pytest.mark.parametrize("mode", [Mode.HOLDING, Mode.PROBING])
@pytest.mark.parametrize("held_for", list(HeldFor))
def test_what_calls_of_before_a_hold_met_changes_nothing_of_it_if_none_succeeded(
    mode: Mode, held_for: HeldFor
) -> None:
    gate = replace(PROBING, mode=mode, held_for=held_for, window=1.0, faults=9)
    tally = Samples(turn=5, throttled=1, lost=1, returned={100: 2})
    assert _settle(gate, tally) == Change(add={"leased_4": -2, "in_flight": -2}, when=(RETURNED,))


@pytest.mark.parametrize("mode", [Mode.HOLDING, Mode.PROBING])
def test_a_success_of_before_the_hold_ends_one_for_faults(mode: Mode) -> None:
    gate = replace(PROBING, mode=mode, held_for=FAULT)
    assert _settle(gate, Samples(succeeded=2, busy_ms=30), OTHERWISE) == Change(
        put={
            **STARTED_OVER,
            "window": 3.0,
            "fault_hold_ended_at_ms": NOW_MS,
            "succeeded": 2,
            "busy_ms": 30,
            "succeeded_at_ms": NOW_MS,
        },
        add={"turn": 1},
        when=of_turn(gate),
    )
    live = after_live_success(gate, NOW_MS, OTHERWISE)
    assert live == Change(
        put={
            **STARTED_OVER,
            "window": 3.0,
            "fault_hold_ended_at_ms": NOW_MS,
            "succeeded": 0,
            "busy_ms": 0,
            "succeeded_at_ms": NOW_MS,
        },
        add={"turn": 1},
        when=of_turn(gate),
    )


@pytest.mark.parametrize(("due_in_ms", "is_due"), [(1, False), (0, True), (-1, True)])
def test_a_gate_is_choosy_from_when_its_probe_is_due(due_in_ms: int, *, is_due: bool) -> None:
    for mode in (Mode.HOLDING, Mode.PROBING):
        gate = replace(PROBING, mode=mode, held_for=FAULT, probe_at_ms=NOW_MS + due_in_ms)
        assert is_choosy(gate, NOW_MS) is is_due
        assert not is_choosy(replace(gate, held_for=THROTTLE), NOW_MS)
    assert not is_choosy(replace(STEADY, held_for=FAULT), NOW_MS)
