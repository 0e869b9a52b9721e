"""A target whose policy is not enabled holds its gate, and goes on as soon as somebody finds it enabled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import InMemoryGateItems
from reprise.gate.admit import PermitRequest, admit
from reprise.gate.fallback import LocalGate
from reprise.gate.paused import (
    MAX_SPAN_S,
    MIN_SPAN_S,
    NOTED_S,
    hold_paused,
    is_paused,
    pause,
    paused_wait_s,
    resume,
)
from reprise.gate.session import GateSession
from reprise.gate.state import Change, GateState, Mode
from strategies import NOW_MS, ORDERS

FLOWING = GateState(window=40.0, slow_start=0, succeeded=10, busy_ms=9000, waiting=25, in_flight=3)
HOLDING = replace(FLOWING, mode=Mode.HOLDING, held_for="throttle", holding_since_ms=NOW_MS - 9000)
PROBING = replace(HOLDING, mode=Mode.PROBING, probe_owner="b", probe_at_ms=NOW_MS + 60_000)
LATER_MS = NOW_MS + 3_600_000


def _made(gate: GateState, change: Change | None) -> GateState:
    assert change is not None
    assert all(condition.holds(gate) for condition in change.when)
    return change.apply(gate)


@pytest.mark.parametrize("gate", [FLOWING, HOLDING, PROBING], ids=lambda gate: gate.mode)
def test_a_gate_holds_from_any_mode_when_its_policy_is_not_enabled(gate: GateState) -> None:
    after = _made(gate, pause(gate, NOW_MS))
    assert is_paused(after)
    assert (after.holding_since_ms, after.turn, after.probe_owner) == (NOW_MS, gate.turn + 1, "")
    assert after.in_flight == 3


def test_a_pause_is_noted_again_once_a_minute_and_no_more() -> None:
    paused = _made(FLOWING, pause(FLOWING, NOW_MS))
    due_ms = NOW_MS + round(1000 * NOTED_S)
    assert pause(paused, due_ms - 1) is None
    again = _made(paused, pause(paused, due_ms))
    assert again.holding_since_ms == NOW_MS
    assert again.probe_at_ms == due_ms + round(1000 * NOTED_S)


def test_a_paused_gate_is_not_probed_and_who_may_replay_ends_the_pause() -> None:
    paused = _made(FLOWING, pause(FLOWING, NOW_MS))
    step = admit(paused, PermitRequest(wanted=10, owner="a", lease_ms=90_000), now_ms=LATER_MS)
    assert step.admission.permits == 0
    flowing = _made(paused, step.change)
    assert (flowing.mode, flowing.window, flowing.slow_start) == (Mode.FLOWING, 2.0, 1)
    step = admit(flowing, PermitRequest(wanted=10, owner="a", lease_ms=90_000), now_ms=LATER_MS)
    assert step.admission.permits > 0


def test_asking_for_waits_ends_no_pause() -> None:
    paused = _made(FLOWING, pause(FLOWING, NOW_MS))
    step = admit(paused, PermitRequest(wanted=0, owner="a", lease_ms=90_000), now_ms=LATER_MS)
    assert step.change is None
    assert step.admission.wait_s >= 3


def test_only_a_pause_is_resumed() -> None:
    for gate in (FLOWING, HOLDING, PROBING, replace(FLOWING, held_for="paused")):
        assert resume(gate, NOW_MS) is None


def test_a_pause_does_not_undo_what_another_decided_meanwhile() -> None:
    change = pause(FLOWING, NOW_MS)
    assert change is not None
    for moved in (replace(FLOWING, turn=1), HOLDING):
        assert not all(condition.holds(moved) for condition in change.when)


def test_a_lost_race_is_run_again() -> None:
    gates = InMemoryGateItems()
    gates.images[ORDERS] = PROBING
    assert is_paused(hold_paused(gates, ORDERS, NOW_MS))
    assert is_paused(gates.images[ORDERS])
    writes = gates.writes
    hold_paused(gates, ORDERS, NOW_MS + 1)
    assert gates.writes == writes


@pytest.mark.parametrize(
    ("waiting", "least_s", "most_s"),
    [(1, 3, 6), (150, 3, 6), (250, 5, 10), (1000, 20, 40), (100_000, 30, 60)],
)
def test_calls_of_a_paused_target_come_back_soon(
    waiting: int, least_s: float, most_s: float
) -> None:
    gate = _made(
        replace(FLOWING, waiting=waiting), pause(replace(FLOWING, waiting=waiting), NOW_MS)
    )
    wait_s, spread_s = paused_wait_s(gate)
    assert (wait_s, wait_s + spread_s) == pytest.approx((least_s, most_s))


@given(waiting=st.integers(-10, 10**6))
def test_the_wait_of_a_paused_target_is_in_bounds(waiting: int) -> None:
    gate = replace(_made(FLOWING, pause(FLOWING, NOW_MS)), waiting=waiting)
    wait_s, spread_s = paused_wait_s(gate)
    assert MIN_SPAN_S <= wait_s + spread_s <= MAX_SPAN_S
    assert wait_s >= MIN_SPAN_S / 2


def test_who_ends_a_pause_goes_at_once_and_need_not_come_again() -> None:
    gates = InMemoryGateItems()
    hold_paused(gates, ORDERS, NOW_MS)
    session = GateSession(
        gates=gates,
        memory=LocalGate(),
        function=ORDERS,
        owner="a",
        now_ms=lambda: LATER_MS,
        draw=lambda: 0.5,
        lease_ms=90_000,
    )
    assert len(session.enter(2).permits) > 0
