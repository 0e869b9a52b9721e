"""The law of the window, and what ends and resumes the flow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import OutcomeKind
from reprise.gate.adjust import after_live_success, settle
from reprise.gate.lease import SLOTS
from reprise.gate.limit import SMALL_SHARE, rate_per_s
from reprise.gate.parameters import DEFAULTS
from reprise.gate.samples import Sample, Samples
from reprise.gate.state import TRANSITIONS, GateState, HeldFor, Mode
from strategies import NOW_MS

THROTTLE, FAULT = HeldFor.THROTTLE, HeldFor.FAULT
STEADY = GateState(
    window=40.0,
    slow_start=0,
    in_flight=38,
    throttled_at_ms=NOW_MS - 1000,
    changed_at_ms=NOW_MS - 60_000,
)
PROBING = GateState(
    mode=Mode.PROBING, probe_owner="a", held_for=THROTTLE, holding_since_ms=NOW_MS - 50_000
)

tallies = st.builds(
    Samples,
    is_probe=st.booleans(),
    turn=st.integers(0, 3),
    returned=st.dictionaries(st.integers(0, 9), st.integers(0, 5), max_size=3),
    handed=st.integers(0, 5),
    succeeded=st.integers(0, 5),
    busy_ms=st.integers(0, 10_000),
    throttled=st.integers(0, 5),
    executed=st.integers(0, 5),
    lost=st.integers(0, 5),
    suspects=st.integers(0, 5),
    left=st.integers(0, 5),
    retry_after_s=st.floats(0, 1e5),
)
images = st.builds(
    GateState,
    mode=st.sampled_from([mode.value for mode in Mode]),
    turn=st.integers(0, 3),
    window=st.floats(1, 2000),
    slow_start=st.integers(0, 1),
    cap=st.integers(0, 100),
    in_flight=st.integers(-5, 2000),
    epoch=st.integers(0, 9),
    faults=st.integers(0, 20),
    held_for=st.sampled_from([THROTTLE, FAULT]),
    probe_owner=st.sampled_from(["a", "b"]),
    holding_since_ms=st.integers(0, NOW_MS),
    throttled_at_ms=st.integers(0, NOW_MS),
    changed_at_ms=st.integers(0, NOW_MS),
)


def _after(gate: GateState, tally: Samples) -> GateState:
    change = settle(gate, tally, owner="a", now_ms=NOW_MS)
    assert all(condition.holds(gate) for condition in change.when)
    return change.apply(gate)


def test_a_throttle_takes_one_permit_and_fresh_successes_bring_a_part_of_one() -> None:
    assert _after(STEADY, Samples(throttled=1)).window == 39
    share = DEFAULTS.refused_share * (1 + (1 / DEFAULTS.quiet_s) ** 2)
    assert DEFAULTS.refused_share > SMALL_SHARE / 40**2
    assert _after(STEADY, Samples(succeeded=10)).window == pytest.approx(40 + 10 * share)


def test_a_permit_that_a_new_epoch_gave_back_already_is_not_given_back_again() -> None:
    """Its owner outlived its lease, and believes what it read before."""
    gate = GateState(window=1.0, epoch=3, in_flight=1, leased_4=1)
    change = settle(gate, Samples(returned={4: 1}), owner="a", now_ms=NOW_MS)

    assert all(condition.holds(replace(gate, epoch=4)) for condition in change.when)
    since = replace(gate, epoch=5, leased_4=0, leased_5=1)
    assert not all(condition.holds(since) for condition in change.when)
    assert not settle(since, Samples(returned={4: 1}), owner="a", now_ms=NOW_MS).add


def test_a_small_window_is_allowed_a_seventh_of_the_throttles_of_plain_aimd() -> None:
    small = replace(STEADY, window=3.0, in_flight=3, throttled_at_ms=NOW_MS)
    assert _after(small, Samples(succeeded=3)).window == pytest.approx(3 + 3 * 0.3 / 9)
    assert _after(replace(small, window=1.0), Samples(succeeded=1)).window == 1.3


@pytest.mark.parametrize(("window", "times_faster"), [(5.0, 33.0), (40.0, 5.0)])
def test_after_twice_its_quiet_a_small_window_grows_with_the_fifth_power_and_others_with_the_square(
    window: float, times_faster: float
) -> None:
    quiet_ms = round(1000 * min(DEFAULTS.quiet_s, 5 * window))
    steady = replace(STEADY, window=window, in_flight=round(window), throttled_at_ms=NOW_MS)
    quiet = replace(steady, throttled_at_ms=NOW_MS - 2 * quiet_ms, changed_at_ms=0)
    at_first, later = (
        _after(gate, Samples(succeeded=1)).window - window for gate in (steady, quiet)
    )
    assert later == pytest.approx(times_faster * at_first, rel=1e-3)


@pytest.mark.parametrize(
    ("window", "twice_as_fast_after_s"),
    [(1.0, 5.0), (3.0, 15.0), (5.0, 25.0), (40.0, DEFAULTS.quiet_s)],
)
def test_quiet_is_what_outlasts_the_gaps_that_the_balance_would_leave(
    window: float, twice_as_fast_after_s: float
) -> None:
    gates = [
        replace(
            STEADY,
            window=window,
            in_flight=round(window),
            throttled_at_ms=NOW_MS - round(1000 * quiet_s),
            changed_at_ms=0,
        )
        for quiet_s in (0, twice_as_fast_after_s)
    ]
    at_first, later = (_after(gate, Samples(succeeded=1)).window - window for gate in gates)
    assert later == pytest.approx(min(1.0, 2 * at_first), rel=1e-3)


def test_short_calls_count_as_calls_of_a_second_since_their_batches_last_for_seconds() -> None:
    quiet = replace(STEADY, window=3.0, in_flight=3, throttled_at_ms=NOW_MS - 20_000)
    grown = [
        _after(replace(quiet, succeeded=100, busy_ms=busy_ms), Samples(succeeded=1)).window
        for busy_ms in (100_000, 10_000, 200_000)
    ]
    assert grown[0] == grown[1] > grown[2] > 3


def test_half_a_minute_without_a_throttle_means_little_where_calls_take_as_long() -> None:
    quiet = replace(STEADY, window=14.0, in_flight=14, throttled_at_ms=NOW_MS - 30_000)
    grown = [
        _after(replace(quiet, succeeded=100, busy_ms=100 * service_ms), Samples(succeeded=1)).window
        for service_ms in (1000, 30_000)
    ]
    usual = DEFAULTS.refused_share
    assert grown[0] > 14 + 2 * usual
    # At this share a throttle comes every 1,071 s.
    assert grown[1] == pytest.approx(14 + usual * (1 + (30 / (0.75 * 1071.4)) ** 2), abs=1e-6)


def test_attempts_on_a_permit_just_given_up_teach_nothing() -> None:
    assert _after(STEADY, Samples(succeeded=10, handed=10)).window == 40


def test_growth_is_faster_the_longer_nothing_was_refused() -> None:
    quiet = replace(STEADY, throttled_at_ms=NOW_MS - 60_000)
    grown = [_after(gate, Samples(succeeded=10)).window for gate in (STEADY, quiet)]
    assert grown[1] - 40 > 4 * (grown[0] - 40)


def test_a_window_that_is_not_used_does_not_grow() -> None:
    assert _after(replace(STEADY, in_flight=20), Samples(succeeded=10)).window == 40


def test_slow_start_multiplies_until_the_first_throttle() -> None:
    young = replace(STEADY, slow_start=1, window=8.0, in_flight=8)
    assert _after(young, Samples(succeeded=8)).window == 8 * DEFAULTS.ramp
    assert _after(young, Samples(succeeded=30)).window == 8 * DEFAULTS.ramp
    over = _after(young, Samples(succeeded=5, throttled=1))
    assert over.slow_start == 0
    assert over.window == pytest.approx(0.9 * 8)


def test_slow_start_ends_where_there_was_room_before_the_last_burst() -> None:
    young = replace(STEADY, slow_start=1, window=8.0, in_flight=8, known_window=20.0)
    grown = _after(young, Samples(succeeded=8))
    assert grown.window == 20
    assert _after(replace(grown, in_flight=20), Samples(succeeded=8)).window < 20.2


def test_throttles_that_meet_take_the_window_below_one_only_until_the_next_settling() -> None:
    """Two replayers settled from the same image: what they take adds up."""
    gate = replace(STEADY, window=2.0, in_flight=2)
    tallies = [Samples(throttled=1, succeeded=1) for _ in range(2)]
    changes = [settle(gate, tally, owner="a", now_ms=NOW_MS) for tally in tallies]
    below = changes[1].apply(changes[0].apply(gate))
    assert below.window < 1
    assert rate_per_s(replace(below, window=0.0, succeeded=0)) == 1
    assert _after(below, Samples(succeeded=1, throttled=1)).window >= 1


def test_a_fifth_of_the_window_refused_within_a_service_time_cuts_it_once_a_second() -> None:
    first = _after(STEADY, Samples(succeeded=1, throttled=5))
    assert (round(first.window), first.turn, first.burst) == (35, 0, 5)
    after = _after(first, Samples(succeeded=1, throttled=3))
    assert after.window == pytest.approx(first.window * DEFAULTS.cut)
    assert (after.turn, after.changed_at_ms, after.burst) == (1, NOW_MS, 0)
    again = _after(after, Samples(succeeded=1, throttled=5, turn=1))
    assert (round(again.window), again.turn, again.burst) == (round(after.window - 5), 1, 5)


def test_a_burst_is_remembered_by_the_window_before_it_and_a_slow_start_by_none() -> None:
    gate = replace(STEADY, known_window=90.0)
    burst = Samples(throttled=8)
    assert _after(gate, burst).known_window == 40
    assert _after(replace(gate, slow_start=1), burst).known_window == 0


def test_throttles_of_more_than_one_service_time_are_no_burst() -> None:
    gate = replace(STEADY, burst=7, burst_at_ms=NOW_MS - 1001)
    after = _after(gate, Samples(throttled=1))
    assert (after.window, after.burst, after.burst_at_ms) == (39, 1, NOW_MS)


def test_three_throttles_are_no_burst_however_small_the_window() -> None:
    after = _after(replace(STEADY, window=10.0, in_flight=10), Samples(throttled=3))
    assert (after.window, after.turn) == (7, 0)


def test_an_attempt_admitted_before_the_last_cut_does_not_cut_again() -> None:
    gate = replace(STEADY, turn=7)
    assert _after(gate, Samples(throttled=3, turn=6)).window == 37


def test_a_throttle_at_one_permit_holds_the_flow() -> None:
    gate = _after(replace(STEADY, window=1.4), Samples(throttled=1, retry_after_s=30))
    assert (gate.mode, gate.held_for) == (Mode.HOLDING, THROTTLE)
    assert gate.probe_at_ms == NOW_MS + 30_000


def test_faults_in_a_row_hold_the_flow_and_one_success_between_them_does_not() -> None:
    gate = replace(STEADY, faults=8, succeeded_at_ms=1)
    assert _after(gate, Samples(executed=1, lost=1)).held_for == FAULT
    assert _after(gate, Samples(executed=1)).faults == 9
    assert _after(gate, Samples(executed=5, succeeded=1)).faults == 0


@pytest.mark.parametrize("succeeded_at_ms", [0, 1])
def test_calls_that_failed_before_hold_nothing(succeeded_at_ms: int) -> None:
    gate = replace(STEADY, faults=2, succeeded_at_ms=succeeded_at_ms)
    after = _after(gate, Samples(suspects=50))
    assert (after.mode, after.faults) == (Mode.FLOWING, 2)


def test_three_calls_that_fail_show_an_outage_where_nothing_ever_succeeded() -> None:
    twice = _after(GateState(), Samples(executed=2))
    assert (twice.mode, twice.faults) == (Mode.FLOWING, 2)
    assert _after(twice, Samples(executed=1)).held_for == FAULT
    assert _after(replace(twice, succeeded_at_ms=1), Samples(executed=1)).mode == Mode.FLOWING


@pytest.mark.parametrize("mode", [Mode.HOLDING, Mode.PROBING])
def test_any_success_ends_a_hold_for_faults_and_none_for_throttles(mode: Mode) -> None:
    held = replace(PROBING, mode=mode, held_for=FAULT, probe_owner="b", faults=10)
    after = _after(held, Samples(succeeded=1, busy_ms=5))
    assert (after.mode, after.faults, after.succeeded, after.holding_since_ms) == (
        Mode.FLOWING,
        0,
        1,
        0,
    )
    assert _after(replace(held, held_for=THROTTLE), Samples(succeeded=1)).mode == mode


@pytest.mark.parametrize("mode", [Mode.HOLDING, Mode.PROBING])
def test_a_live_success_ends_a_hold_for_faults(mode: Mode) -> None:
    held = replace(PROBING, mode=mode, held_for=FAULT)
    change = after_live_success(held, NOW_MS)
    assert change is not None
    after = change.apply(held)
    assert (after.mode, after.succeeded_at_ms) == (Mode.FLOWING, NOW_MS)


@pytest.mark.parametrize(
    "gate", [replace(PROBING, held_for=THROTTLE), replace(STEADY, held_for=FAULT)]
)
def test_a_live_success_is_no_news_where_no_failures_hold(gate: GateState) -> None:
    assert after_live_success(gate, NOW_MS) is None


def test_a_live_success_decides_for_the_turn_that_it_saw() -> None:
    held = replace(PROBING, held_for=FAULT)
    change = after_live_success(held, NOW_MS)
    assert change is not None
    assert not all(condition.holds(replace(held, turn=1)) for condition in change.when)


@pytest.mark.parametrize(
    ("held_for", "tally", "mode"),
    [
        (THROTTLE, Samples(succeeded=1), Mode.FLOWING),
        (THROTTLE, Samples(executed=1), Mode.FLOWING),
        (THROTTLE, Samples(throttled=1), Mode.HOLDING),
        (THROTTLE, Samples(lost=1), Mode.HOLDING),
        (FAULT, Samples(succeeded=1), Mode.FLOWING),
        (FAULT, Samples(executed=1), Mode.HOLDING),
        (FAULT, Samples(suspects=1), Mode.HOLDING),
        (FAULT, Samples(throttled=1), Mode.HOLDING),
        (THROTTLE, Samples(), Mode.HOLDING),
    ],
)
def test_a_probe_decides(held_for: str, tally: Samples, mode: Mode) -> None:
    tally.is_probe = True
    gate = _after(replace(PROBING, held_for=held_for), tally)
    assert gate.mode == mode
    if mode is Mode.FLOWING:
        assert (gate.window, gate.slow_start, gate.holding_since_ms) == (2, 1, 0)
    else:
        assert gate.probe_at_ms == NOW_MS + (5000 if tally.attempts else 0)


def test_the_probe_of_another_decides_nothing() -> None:
    tally = Samples(is_probe=True, succeeded=1)
    assert _after(replace(PROBING, probe_owner="b"), tally).mode == Mode.PROBING


@pytest.mark.parametrize("tally", [Samples(succeeded=1), Samples(throttled=1), Samples()])
def test_a_probe_that_was_taken_over_while_its_first_owner_decided_is_left_alone(
    tally: Samples,
) -> None:
    tally.is_probe = True
    change = settle(PROBING, tally, owner="a", now_ms=NOW_MS)
    assert all(condition.holds(PROBING) for condition in change.when)
    taken_over = replace(PROBING, probe_owner="b")
    assert not all(condition.holds(taken_over) for condition in change.when)


def test_permits_of_an_epoch_that_is_over_are_not_returned_twice() -> None:
    gate = replace(STEADY, epoch=9, leased_9=4)
    after = _after(gate, Samples(returned={9: 2, 8: 3}))
    assert (after.in_flight, after.leased_9) == (36, 2)


def test_permits_of_an_epoch_of_another_unit_are_not_returned() -> None:
    gate = replace(STEADY, epoch=9, leased_9=4)
    after = _after(gate, Samples(returned={9 + SLOTS: 3}))
    assert (after.in_flight, after.leased_9) == (38, 4)


def test_a_capped_target_starts_over_with_its_cap() -> None:
    probing = GateState(mode=Mode.PROBING, probe_owner="a", cap=1)
    assert _after(probing, Samples(is_probe=True, succeeded=1)).window == 1


def test_an_end_is_noted_whatever_it_is() -> None:
    for tally in (Samples(left=1), Samples(left=1, succeeded=1)):
        assert _after(STEADY, tally).ended_at_ms == NOW_MS
    assert _after(STEADY, Samples(throttled=1)).ended_at_ms == 0


def test_growth_stops_at_the_cap() -> None:
    for slow_start in (0, 1):
        gate = replace(STEADY, window=9.5, in_flight=9, cap=10, slow_start=slow_start)
        after = _after(gate, Samples(succeeded=10_000))
        assert after.window == 10
        assert _after(after, Samples(succeeded=10_000)).window == 10


def test_a_window_above_its_cap_is_not_taken_back_by_each_who_tells() -> None:
    gate = replace(STEADY, window=26.0, in_flight=26, cap=10)
    assert _after(gate, Samples(succeeded=10)).window == 26
    assert _after(gate, Samples(throttled=1)).window == 25


@given(gate=images, tally=tallies)
def test_any_settling_keeps_the_laws(gate: GateState, tally: Samples) -> None:
    after = _after(gate, tally)
    assert after.window >= min(1.0, gate.window)
    moves = {(source, to) for (source, _), to in TRANSITIONS.items()}
    if after.mode != gate.mode:
        assert (gate.mode, after.mode) in moves
        assert after.turn == gate.turn + 1
    if after.mode == Mode.HOLDING != gate.mode:
        assert after.probe_at_ms >= NOW_MS + round(tally.retry_after_s * 1000) * bool(
            tally.attempts
        )
    if gate.mode == Mode.FLOWING and tally.throttled and after.mode == Mode.FLOWING:
        # However long it was quiet before, no fresh attempt brings more than one permit.
        assert after.window <= max(1.0, gate.window - tally.throttled + tally.attempts)


def test_a_tally_counts_what_was_met() -> None:
    tally = Samples()
    kinds = [None, *(kind for kind in OutcomeKind)]
    for kind in kinds:
        tally.count(Sample(kind=kind, busy_ms=5))
    tally.count(Sample(kind=OutcomeKind.FUNCTION_ERROR, is_suspect=True, has_left=True))
    reason = "CallerRateLimitExceeded"
    tally.count(Sample(kind=OutcomeKind.THROTTLED, reason=reason, retry_after_s=4))
    assert (tally.succeeded, tally.busy_ms, tally.throttled, tally.wide) == (1, 5, 2, 1)
    assert (tally.executed, tally.lost, tally.suspects, tally.left) == (1, 3, 1, 1)
    assert (tally.attempts, tally.retry_after_s) == (8, 4)
