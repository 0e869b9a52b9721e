"""Permits of the dead come back whoever asks, and those of the living are never given away."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeClock, InMemoryGateItems
from reprise.call.outcome import OutcomeKind
from reprise.gate.fallback import LocalGate
from reprise.gate.lease import (
    EPOCH_MS,
    LONGEST_LEASE_MS,
    SLOTS,
    expire,
    is_counted,
    lease_epoch,
    slot_name,
)
from reprise.gate.samples import Sample
from reprise.gate.session import GateSession
from reprise.gate.state import Change, GateState
from strategies import NOW_MS, ORDERS

EPOCH = NOW_MS // EPOCH_MS
ENDED = Sample(kind=OutcomeKind.SUCCEEDED, busy_ms=1000, has_left=True)
DAY_MS = 86_400_000


def _visit(gates: InMemoryGateItems, now_ms: int, lease_ms: int, owner: str) -> GateSession:
    return GateSession(
        gates=gates,
        memory=LocalGate(),
        function=ORDERS,
        owner=owner,
        now_ms=lambda: now_ms,
        draw=lambda: 0.5,
        lease_ms=lease_ms,
    )


def _busy(now_ms: int, *, in_flight: int = 0) -> GateState:
    """Return a gate that was used just now, with a window of four."""
    return GateState(
        window=4.0, slow_start=0, succeeded_at_ms=now_ms, succeeded=1, in_flight=in_flight
    )


@pytest.mark.parametrize(
    "asks_ms",
    [
        pytest.param([868_000], id="a batch that began half a minute late"),
        pytest.param([90_000], id="before the longest timeout was raised"),
        pytest.param([60_000, 900_000, 1, 1_800_000], id="all sorts"),
    ],
)
def test_permits_of_the_dead_come_back_whoever_asked_before(asks_ms: list[int]) -> None:
    clock, gates = FakeClock(), InMemoryGateItems()
    now_ms = int(clock().timestamp() * 1000)
    gates.images[ORDERS] = _busy(now_ms)
    for number, lease_ms in enumerate(asks_ms):
        visit = _visit(gates, now_ms, lease_ms, f"alive {number}")
        (permit,) = visit.enter(1).permits
        visit.leave(permit, ENDED, is_wanted=False)
    for number in range(4):
        now_ms += 5000
        assert len(_visit(gates, now_ms, 900_000, f"dead {number}").enter(1).permits) == 1
    assert _visit(gates, now_ms, 900_000, "refused").enter(1).permits == ()
    now_ms += 900_000 + EPOCH_MS
    assert len(_visit(gates, now_ms, 60_000, "late").enter(1).permits) == 1


def test_an_epoch_of_another_unit_starts_the_count_over() -> None:
    """An older version counted in thirds of a lease, so that its number may lie decades ahead."""
    for unit_ms in (20_000, 30_000, 110_000, 300_000):
        gate = replace(_busy(NOW_MS, in_flight=4), epoch=NOW_MS // unit_ms)
        gate = Change(put={slot_name(slot): 4 for slot in range(SLOTS)}).apply(gate)
        expiry = expire(gate, NOW_MS)
        assert (expiry.epoch, expiry.in_flight) == (EPOCH, 0)
        after = Change(put=expiry.put).apply(gate)
        assert after == replace(_busy(NOW_MS, in_flight=4), epoch=EPOCH)


def test_a_clock_that_is_a_little_ahead_moves_nothing_back() -> None:
    gate = replace(_busy(NOW_MS, in_flight=3), epoch=EPOCH + 1, leased_0=3)
    assert (expire(gate, NOW_MS).epoch, expire(gate, NOW_MS).in_flight) == (EPOCH + 1, 3)
    assert expire(gate, NOW_MS).put == {}


def test_a_sum_that_went_wrong_is_counted_anew_in_a_new_epoch() -> None:
    wrong = replace(_busy(NOW_MS, in_flight=-300), epoch=EPOCH)
    wrong = Change(put={slot_name(EPOCH + 1): 2}).apply(wrong)
    assert expire(wrong, NOW_MS).in_flight == 0
    assert expire(wrong, NOW_MS + EPOCH_MS).in_flight == 2


@given(
    asks=st.lists(
        st.tuples(st.integers(0, 400_000), st.integers(1, 2 * LONGEST_LEASE_MS), st.booleans()),
        max_size=30,
    ),
    epoch=st.integers(0, 2 * EPOCH),
)
def test_a_permit_is_out_until_its_lease_is_over_and_two_minutes_longer_at_most(
    asks: list[tuple[int, int, bool]], epoch: int
) -> None:
    """Whatever sequence of askers, with whatever leases, upon whatever number an older version left."""
    gates, now_ms, ends_ms = InMemoryGateItems(), NOW_MS, []
    gates.images[ORDERS] = replace(_busy(NOW_MS), window=1000.0, epoch=epoch)
    for number, (later_ms, lease_ms, dies) in enumerate(asks):
        now_ms += later_ms
        visit = _visit(gates, now_ms, lease_ms, f"batch {number}")
        # A gate that nobody used for a minute starts over with a small window; that is not what is tested.
        gates.images[ORDERS] = replace(gates.images[ORDERS], succeeded_at_ms=now_ms)
        for permit in visit.enter(1).permits:
            if dies:
                ends_ms.append(now_ms + min(lease_ms, LONGEST_LEASE_MS))
            else:
                visit.leave(permit, ENDED, is_wanted=False)
        out = expire(gates.images[ORDERS], now_ms).in_flight
        living = sum(end_ms > now_ms for end_ms in ends_ms)
        lingering = sum(end_ms + EPOCH_MS > now_ms for end_ms in ends_ms)
        assert living <= out <= lingering
    assert expire(gates.images[ORDERS], now_ms + LONGEST_LEASE_MS + EPOCH_MS).in_flight == 0


def test_no_two_leases_that_run_share_a_slot_with_one_that_is_over() -> None:
    assert LONGEST_LEASE_MS >= 1_800_000
    assert len({slot_name(EPOCH + ahead) for ahead in range(SLOTS)}) == SLOTS
    assert all(hasattr(GateState(), slot_name(epoch)) for epoch in range(SLOTS))


@pytest.mark.parametrize(
    ("ahead", "expected"), [(-1, False), (0, True), (SLOTS - 1, True), (SLOTS, False)]
)
def test_permits_are_counted_from_the_gates_epoch_on_for_as_many_as_there_are_slots(
    ahead: int, *, expected: bool
) -> None:
    assert is_counted(GateState(epoch=EPOCH), EPOCH + ahead) is expected


@pytest.mark.parametrize(
    ("present", "lease_ms", "ends"),
    [
        pytest.param(EPOCH, 0, EPOCH, id="at once"),
        pytest.param(EPOCH, EPOCH_MS, EPOCH + 1, id="an epoch"),
        pytest.param(EPOCH + 3, EPOCH_MS, EPOCH + 3, id="not before the present one"),
        pytest.param(EPOCH, LONGEST_LEASE_MS, EPOCH + SLOTS - 1, id="the longest"),
        pytest.param(EPOCH, 9 * LONGEST_LEASE_MS, EPOCH + SLOTS - 1, id="a longer one"),
        pytest.param(EPOCH - 3, LONGEST_LEASE_MS, EPOCH + SLOTS - 4, id="no slot is used twice"),
    ],
)
def test_a_lease_ends_in_an_epoch_that_has_a_slot_of_its_own(
    present: int, lease_ms: int, ends: int
) -> None:
    assert lease_epoch(present, EPOCH * EPOCH_MS, lease_ms) == ends
