"""What calls met adds up, whatever the order; and what a gate drains is told by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import OutcomeKind
from reprise.gate.limit import (
    cut_window,
    fault_limit,
    gap_s,
    hold_age_s,
    is_idle,
    rate_per_s,
    service_s,
    used_at_ms,
)
from reprise.gate.parameters import DEFAULTS
from reprise.gate.samples import Sample, Samples
from reprise.gate.state import GateState
from strategies import NOW_MS

WIDE = ("ConcurrentInvocationLimitExceeded", "CallerRateLimitExceeded")
NARROW = ("ReservedFunctionConcurrentInvocationLimitExceeded", None)
samples = st.builds(
    Sample,
    kind=st.none() | st.sampled_from(OutcomeKind),
    busy_ms=st.integers(0, 1000),
    has_left=st.booleans(),
    is_suspect=st.booleans(),
    reason=st.sampled_from([*WIDE, *NARROW]),
    retry_after_s=st.floats(0, 60),
)
FAILED = frozenset(OutcomeKind) - {OutcomeKind.SUCCEEDED, OutcomeKind.THROTTLED}


@given(met=st.lists(samples, max_size=12), epochs=st.lists(st.integers(0, 3), max_size=12))
def test_a_tally_is_the_sum_of_its_samples(met: list[Sample], epochs: list[int]) -> None:
    tally = Samples()
    for sample in met:
        tally.count(sample)
    for epoch in epochs:
        tally.give_back(epoch)
    successes = [sample for sample in met if sample.kind is OutcomeKind.SUCCEEDED]
    throttles = [sample for sample in met if sample.kind is OutcomeKind.THROTTLED]
    failures = [sample for sample in met if sample.kind in FAILED]
    fresh = Counter(sample.kind for sample in failures if not sample.is_suspect)
    executed = fresh.pop(OutcomeKind.FUNCTION_ERROR, 0)
    assert tally == Samples(
        returned=dict(Counter(epochs)),
        succeeded=len(successes),
        busy_ms=sum(sample.busy_ms for sample in successes),
        throttled=len(throttles),
        wide=sum(sample.reason in WIDE for sample in throttles),
        executed=executed,
        lost=fresh.total(),
        suspects=sum(sample.is_suspect for sample in failures),
        left=sum(sample.has_left for sample in met),
        retry_after_s=max([0.0, *(sample.retry_after_s for sample in met)]),
    )
    assert tally.attempts == len(successes) + len(throttles) + len(failures)


def test_samples_of_a_kind_are_added_to_each_other() -> None:
    tally = Samples()
    for _ in range(2):
        tally.count(Sample(kind=OutcomeKind.SUCCEEDED, busy_ms=5, has_left=True))
        tally.count(Sample(kind=OutcomeKind.THROTTLED, reason=WIDE[0]))
        tally.count(Sample(kind=OutcomeKind.FUNCTION_ERROR))
        tally.count(Sample(kind=OutcomeKind.TRANSIENT))
        tally.count(Sample(kind=OutcomeKind.TRANSIENT, is_suspect=True))
    assert (tally.succeeded, tally.busy_ms, tally.left) == (2, 10, 2)
    assert (tally.throttled, tally.wide) == (2, 2)
    assert (tally.executed, tally.lost, tally.suspects) == (2, 2, 2)


@pytest.mark.parametrize(
    ("tally", "is_empty"),
    [
        (Samples(), True),
        (Samples(turn=3, handed=1), True),
        (Samples(returned={1: 0}), True),
        (Samples(returned={1: 0, 2: 1}), False),
        (Samples(left=1), False),
        (Samples(lost=1), False),
        (Samples(is_probe=True), False),
    ],
)
def test_a_tally_is_empty_if_the_gate_need_not_hear_of_it(
    tally: Samples, *, is_empty: bool
) -> None:
    assert tally.is_empty is is_empty


@pytest.mark.parametrize(
    ("succeeded", "busy_ms", "each_s"), [(0, 7, 1.0), (4, 8000, 2.0), (100, 1, 0.01)]
)
def test_a_gate_drains_its_window_in_each_service_time(
    succeeded: int, busy_ms: int, each_s: float
) -> None:
    gate = GateState(window=6.0, succeeded=succeeded, busy_ms=busy_ms)
    assert service_s(gate) == each_s
    assert rate_per_s(gate) == pytest.approx(6 / each_s)
    assert rate_per_s(replace(gate, window=0.5)) == pytest.approx(1 / each_s)


@pytest.mark.parametrize(("window", "left"), [(2.0, 1.0), (3.0, 1.2), (10.0, 4.0)])
def test_a_cut_leaves_one_permit_at_least(window: float, left: float) -> None:
    assert cut_window(GateState(window=window), DEFAULTS) == pytest.approx(left)


@pytest.mark.parametrize("used", ["succeeded_at_ms", "changed_at_ms", "throttled_at_ms"])
@pytest.mark.parametrize(
    ("ago_ms", "in_flight", "expected"),
    [(60_000, 0, False), (60_001, 0, True), (60_001, 1, False), (60_001, -1, True)],
)
def test_a_gate_is_idle_a_minute_after_its_last_use_unless_permits_are_out(
    used: str, ago_ms: int, in_flight: int, *, expected: bool
) -> None:
    at_ms = NOW_MS - ago_ms
    gate = replace(GateState(in_flight=in_flight), **{used: at_ms})  # type: ignore[arg-type]
    assert used_at_ms(gate) == at_ms
    assert is_idle(gate, NOW_MS) is expected


def test_where_nothing_ever_succeeded_no_more_than_three_faults_hold() -> None:
    for limit, expected in [(10, 3), (3, 3), (2, 2)]:
        parameters = replace(DEFAULTS, fault_limit=limit)
        assert fault_limit(GateState(fault_holds=4), NOW_MS, parameters) == expected


@pytest.mark.parametrize(
    ("held_s", "expected_s"),
    [(0.5, 2.0), (20, 2.0), (55, 5.5), (100, 10.0), (1800, 10.0), (1800.001, 20.0), (9999, 20.0)],
)
def test_probes_come_the_seldomer_the_longer_a_gate_has_held(
    held_s: float, expected_s: float
) -> None:
    gate = GateState(holding_since_ms=NOW_MS - round(1000 * held_s))
    assert hold_age_s(gate, NOW_MS) == held_s
    assert gap_s(gate, NOW_MS) == expected_s


def test_a_gate_that_flows_or_holds_by_a_clock_ahead_of_ours_has_held_for_no_time() -> None:
    assert hold_age_s(GateState(), NOW_MS) == 0
    assert hold_age_s(GateState(holding_since_ms=NOW_MS + 5), NOW_MS) == 0
