from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.rule import MAX_LONG_SPREAD_S, MIN_SPREAD_S, admit, gap_s, settle
from reprise.gate.state import Admission, GateState, Mode, Tally
from strategies import NOW_MS

LEASE_MS = 320_000
HOLDING = GateState(mode=Mode.HOLDING, holding_since_ms=NOW_MS, probe_at_ms=NOW_MS + 2000)
PROBING = replace(
    HOLDING, mode=Mode.PROBING, probe_at_ms=NOW_MS + LEASE_MS, probe_owner="a", version=3
)
THROTTLE = Tally(throttled=1)

states = st.builds(
    GateState,
    mode=st.sampled_from(Mode),
    holding_since_ms=st.integers(0, NOW_MS),
    probe_at_ms=st.integers(NOW_MS - 10**7, NOW_MS + 10**7),
    probe_owner=st.sampled_from(["", "a", "b"]),
    version=st.integers(0, 9),
)
tallies = st.builds(
    Tally,
    succeeded=st.integers(0, 3),
    throttled=st.integers(0, 3),
    executed=st.integers(0, 3),
    lost=st.integers(0, 3),
    retry_after_s=st.floats(0, 1e5),
)


def _admit(
    state: GateState, *, after_s: float = 0, wanted: int = 10
) -> tuple[Admission, GateState | None]:
    step = admit(
        state,
        wanted=wanted,
        owner="a",
        now_ms=NOW_MS + round(after_s * 1000),
        probe_lease_ms=LEASE_MS,
    )
    return step.admission, step.state


def test_a_flowing_gate_lets_everything_through_and_writes_nothing() -> None:
    assert _admit(GateState()) == (Admission(permits=10), None)


@pytest.mark.parametrize("tally", [Tally(), Tally(succeeded=9), Tally(executed=9), Tally(lost=9)])
def test_only_a_throttle_stops_the_flow(tally: Tally) -> None:
    state = GateState(version=4)
    assert settle(state, tally, owner="a", now_ms=NOW_MS) is state


def test_a_throttle_holds_the_flow_even_among_successes() -> None:
    state = settle(GateState(version=4), Tally(succeeded=9, throttled=1), owner="a", now_ms=NOW_MS)
    assert state == replace(HOLDING, version=4)


def test_a_holding_gate_lets_nothing_through_before_its_probe() -> None:
    admission, state = _admit(HOLDING, after_s=1.999)
    assert (admission.permits, admission.is_probe, state) == (0, False, None)
    assert admission.wait_s == pytest.approx(0.001)


def test_one_call_is_the_probe_when_its_time_has_come() -> None:
    admission, state = _admit(HOLDING, after_s=2)
    assert (admission.permits, admission.is_probe) == (1, True)
    assert state == replace(
        HOLDING, mode=Mode.PROBING, probe_at_ms=NOW_MS + 2000 + LEASE_MS, probe_owner="a"
    )


def test_a_probe_keeps_others_waiting_no_longer_than_its_answer_usually_takes() -> None:
    admission, state = _admit(PROBING, after_s=100)
    assert (admission.permits, state) == (0, None)
    assert admission.wait_s == 10  # a tenth of the hold's age, far below the lease


def test_a_probe_whose_owner_died_is_replaced_when_its_lease_has_run_out() -> None:
    state = replace(PROBING, probe_owner="dead")
    assert _admit(state, after_s=319)[0].permits == 0
    admission, after = _admit(state, after_s=320)
    assert (admission.permits, admission.is_probe) == (1, True)
    assert after is not None
    assert after.probe_owner == "a"


@pytest.mark.parametrize("tally", [Tally(succeeded=1), Tally(executed=1)])
def test_a_probe_that_ran_opens_the_gate(tally: Tally) -> None:
    """A function error, too, shows that there is room."""
    assert settle(PROBING, tally, owner="a", now_ms=NOW_MS) == GateState(version=3)


@pytest.mark.parametrize("tally", [THROTTLE, Tally(lost=1)])
def test_a_probe_that_did_not_run_prolongs_the_hold(tally: Tally) -> None:
    now_ms = NOW_MS + 60_000
    assert settle(PROBING, tally, owner="a", now_ms=now_ms) == replace(
        HOLDING, probe_at_ms=now_ms + 6000, version=3
    )


def test_a_probe_that_was_not_needed_makes_room_for_another_at_once() -> None:
    state = settle(PROBING, Tally(), owner="a", now_ms=NOW_MS + 5)
    assert (state.mode, state.probe_at_ms, state.probe_owner) == (Mode.HOLDING, NOW_MS + 5, "")


@pytest.mark.parametrize("state", [HOLDING, PROBING])
@pytest.mark.parametrize("tally", [THROTTLE, Tally(succeeded=5), Tally(lost=1), Tally()])
def test_a_batch_without_the_probe_changes_no_hold(state: GateState, tally: Tally) -> None:
    """It was admitted before the hold began: what it met is old news."""
    assert settle(state, tally, owner="b", now_ms=NOW_MS) is state


def test_the_servers_own_word_is_a_floor_of_the_hold() -> None:
    state = settle(GateState(), Tally(throttled=1, retry_after_s=30), owner="a", now_ms=NOW_MS)
    assert state.probe_at_ms == NOW_MS + 30_000


@pytest.mark.parametrize(
    ("age_s", "expected_s"),
    [(0, 2), (19, 2), (50, 5), (150, 15), (1800, 15), (1801, 60), (10**6, 60), (-5, 2)],
)
def test_the_gap_between_probes_grows_with_the_hold(age_s: int, expected_s: float) -> None:
    state = replace(HOLDING, holding_since_ms=NOW_MS)
    assert gap_s(state, NOW_MS + age_s * 1000) == expected_s


@pytest.mark.parametrize(
    ("age_s", "expected_s"),
    [(0, 4), (100, 25), (240, 60), (3000, 60), (3600, 72), (180_000, 3600), (10**7, 3600)],
)
def test_waiting_calls_spread_with_the_holds_age(age_s: int, expected_s: float) -> None:
    state = replace(HOLDING, holding_since_ms=NOW_MS - age_s * 1000)
    assert _admit(state)[0].spread_s == pytest.approx(expected_s)


@given(state=states, tally=tallies, owner=st.sampled_from(["a", "b"]))
def test_any_settling_keeps_the_laws(state: GateState, tally: Tally, owner: str) -> None:
    after = settle(state, tally, owner=owner, now_ms=NOW_MS)
    assert after.version == state.version
    assert after.mode is not Mode.PROBING or after == state
    if after.mode is Mode.FLOWING and state.mode is not Mode.FLOWING:
        assert after == GateState(version=state.version)
        assert not tally.throttled
        assert tally.succeeded or tally.executed
    if after != state and tally.throttled:
        assert after.mode is Mode.HOLDING
        assert after.probe_at_ms >= NOW_MS + 2000
        assert after.probe_at_ms >= NOW_MS + round(tally.retry_after_s * 1000)


@given(state=states, wanted=st.integers(1, 100))
def test_any_admission_keeps_the_laws(state: GateState, wanted: int) -> None:
    admission, after = _admit(state, wanted=wanted)
    if state.mode is Mode.FLOWING:
        assert (admission, after) == (Admission(permits=wanted), None)
        return
    assert admission.permits == int(state.probe_at_ms <= NOW_MS)
    assert admission.is_probe == (after is not None) == bool(admission.permits)
    assert admission.wait_s >= 0
    assert MIN_SPREAD_S <= admission.spread_s <= MAX_LONG_SPREAD_S
