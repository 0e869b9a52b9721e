"""How often calls without a permit come back: bounded for any target, and soon for a fast one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.lease import (
    EPOCH_MS,
    LONGEST_LEASE_MS,
    LONGEST_RETURN_S,
    SLOTS,
    at_least_s,
    flowing_wait_s,
    slot_name,
)
from reprise.gate.state import GateState
from strategies import NOW_MS

EPOCH = NOW_MS // EPOCH_MS


def _gate(service_s: float, *, window: float = 2.0, waiting: int = 25) -> GateState:
    """Return a gate whose permits are all out, and whose last call has just ended."""
    gate = GateState(
        window=window,
        in_flight=int(window),
        epoch=EPOCH,
        waiting=waiting,
        succeeded=10,
        busy_ms=round(10_000 * service_s),
        succeeded_at_ms=NOW_MS,
    )
    return replace(gate, **{slot_name(EPOCH + SLOTS - 1): int(window)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("service_s", "window", "waiting", "longest_s"),
    [
        pytest.param(0.1, 10, 200, 1.3, id="fast: as soon as they are drained"),
        pytest.param(1, 50, 1050, 14, id="a second"),
        pytest.param(30, 10, 100, 15, id="half a minute"),
        pytest.param(300, 2, 25, 75, id="five minutes: a quarter of them"),
        pytest.param(1700, 1, 25, 600, id="half an hour"),
        pytest.param(60, 2, 1000, 600, id="expanded for a wider window"),
    ],
)
def test_calls_come_back_by_what_their_target_takes(
    service_s: float, window: int, waiting: int, longest_s: float
) -> None:
    wait_s, spread_s = flowing_wait_s(_gate(service_s, window=window, waiting=waiting), NOW_MS)
    assert wait_s + spread_s == pytest.approx(longest_s, rel=0.05)


def test_calls_that_only_run_count_as_taking_as_long_as_that_lasts() -> None:
    untried = replace(_gate(1.0), succeeded=0, busy_ms=0, succeeded_at_ms=0, expanded_at_ms=NOW_MS)
    for later_s, service_s in ((10, 1), (100, 100), (1500, 1500), (9000, 1800)):
        gate = replace(untried, epoch=(NOW_MS + 1000 * later_s) // EPOCH_MS)
        assert at_least_s(gate, NOW_MS + 1000 * later_s) == service_s


def test_a_gate_with_a_permit_left_waits_for_calls_and_not_for_ends() -> None:
    gate = replace(_gate(1.0), in_flight=1)
    assert at_least_s(gate, NOW_MS + 100_000) == 1


def test_permits_of_the_dead_slow_nothing_down_when_their_lease_is_over() -> None:
    gate = _gate(1.0)
    assert at_least_s(gate, NOW_MS + LONGEST_LEASE_MS + 2 * EPOCH_MS) == 1


@given(
    service_s=st.floats(0.01, 1800),
    window=st.floats(1, 1000),
    waiting=st.integers(-5, 5000),
    later_ms=st.integers(0, 10**7),
)
def test_waits_are_in_bounds(service_s: float, window: float, waiting: int, later_ms: int) -> None:
    gate = replace(_gate(service_s, window=window), waiting=waiting)
    wait_s, spread_s = flowing_wait_s(gate, NOW_MS + later_ms)
    longest_s = max(600.0, 0.25 * at_least_s(gate, NOW_MS + later_ms))
    assert 0.1 <= wait_s + spread_s <= longest_s
    if service_s <= 60 and waiting <= 25 and later_ms < 15_000:
        assert wait_s + spread_s <= max(LONGEST_RETURN_S, 0.02 * 25 * 60)


@pytest.mark.parametrize(
    ("service_s", "window", "waiting", "span_s"),
    [
        pytest.param(300, 1, 0, 10.0, id="nobody waits for a slow target: ten seconds at most"),
        pytest.param(10, 1, 0, 2.0, id="nobody waits: a fifth of a service time"),
        pytest.param(0.1, 1, 0, 1.0, id="nobody waits: a second at least"),
        pytest.param(1, 10, 10_010, 100.0, id="no more than a hundred come back a second"),
    ],
)
def test_the_span_of_returns_has_its_bounds(
    service_s: float, window: int, waiting: int, span_s: float
) -> None:
    wait_s, returns_s = flowing_wait_s(_gate(service_s, window=window, waiting=waiting), NOW_MS)
    assert (wait_s, returns_s) == pytest.approx((0.1 * span_s, 0.9 * span_s))


@pytest.mark.parametrize(
    "name", ["ended_at_ms", "succeeded_at_ms", "throttled_at_ms", "changed_at_ms", "expanded_at_ms"]
)
@pytest.mark.parametrize(("silent_s", "takes_s"), [(14.999, 1), (15, 15), (100, 100)])
def test_calls_count_as_taking_as_long_as_nothing_is_heard_of_any(
    name: str, silent_s: float, takes_s: float
) -> None:
    heard_ms = NOW_MS - round(1000 * silent_s)
    silent = replace(_gate(1.0), succeeded_at_ms=NOW_MS - 200_000)
    assert at_least_s(replace(silent, **{name: heard_ms}), NOW_MS) == takes_s  # type: ignore[arg-type]
