"""A batch's visit to its gate: what the gate hears of before the batch has ended."""

from __future__ import annotations

from dataclasses import replace

from doubles import FakeClock, InMemoryGateItems
from reprise.call.outcome import OutcomeKind
from reprise.gate.fallback import LocalGate
from reprise.gate.samples import Sample
from reprise.gate.session import EVERY_TARGET, GateSession
from reprise.gate.state import GateState
from strategies import ORDERS

SUCCESS = Sample(kind=OutcomeKind.SUCCEEDED, busy_ms=1000, has_left=True)


def _visit(gates: InMemoryGateItems, clock: FakeClock) -> GateSession:
    return GateSession(
        gates=gates,
        memory=LocalGate(),
        function=ORDERS,
        owner="batch",
        now_ms=lambda: int(clock().timestamp() * 1000),
        draw=lambda: 0.5,
        lease_ms=90_000,
    )


def _window_after_a_round(gate: GateState) -> float:
    """Return the window once each of the first calls has handed its permit on."""
    clock, gates = FakeClock(), InMemoryGateItems()
    gates.images[ORDERS] = replace(gate, succeeded_at_ms=int(clock().timestamp() * 1000))
    visit = _visit(gates, clock)
    entry = visit.enter(10)
    for permit in entry.permits:
        assert visit.leave(permit, SUCCESS, is_wanted=True) is not None
    return gates.images[ORDERS].window


def test_slow_start_hears_of_each_round_and_not_only_of_the_batch() -> None:
    assert _window_after_a_round(GateState(window=2.0)) == 8.0


def test_a_steady_window_hears_of_a_batch_when_its_permits_are_idle() -> None:
    assert _window_after_a_round(GateState(window=2.0, slow_start=0)) == 2.0


def test_calls_of_a_slow_target_wait_for_one_that_turns_out_to_have_ended() -> None:
    clock, gates = FakeClock(), InMemoryGateItems()
    now_ms = int(clock().timestamp() * 1000)
    slow = GateState(window=1.0, slow_start=0, succeeded=1, busy_ms=300_000, succeeded_at_ms=now_ms)
    gates.images[ORDERS] = slow
    visit = _visit(gates, clock)
    entry = visit.enter(10)
    assert (len(entry.permits), entry.room) == (1, 9)
    permit = visit.leave(entry.permits[0], Sample(has_left=True), is_wanted=True)
    assert permit is not None
    clock.advance(5)
    assert not visit.is_room_open()
    assert visit.leave(permit, SUCCESS, is_wanted=True) is None


class CountingGates(InMemoryGateItems):
    """Gates that note what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def read(self, function: str) -> GateState:
        self.reads.append(function)
        return super().read(function)


def test_a_batch_reads_its_gate_once_before_its_first_call() -> None:
    gates = CountingGates()
    visit = _visit(gates, FakeClock())
    assert not visit.is_choosy()
    assert visit.enter(1).permits
    assert sorted(gates.reads) == sorted([ORDERS, EVERY_TARGET])


def test_a_gate_that_could_not_be_read_first_is_read_again_for_permits() -> None:
    gates = InMemoryGateItems()
    gates.faults.fail("read", times=1)
    visit = _visit(gates, FakeClock())
    assert not visit.is_choosy()
    assert visit.enter(1).permits


def test_a_permit_of_a_call_that_was_not_made_comes_back_though_nothing_else_is_news() -> None:
    gates = InMemoryGateItems()
    visit = _visit(gates, FakeClock())
    (permit,) = visit.enter(1).permits
    assert gates.images[ORDERS].in_flight == 1
    visit.leave(permit, Sample(), is_wanted=False)
    assert gates.images[ORDERS].in_flight == 0


def test_a_permit_that_the_gate_has_taken_back_already_costs_no_write() -> None:
    gates = InMemoryGateItems()
    visit = _visit(gates, FakeClock())
    (permit,) = visit.enter(1).permits
    before = gates.writes
    visit.leave(replace(permit, epoch=permit.epoch - 99), Sample(), is_wanted=False)
    assert gates.writes == before


def test_a_batch_is_bound_by_what_its_target_can_run_at_once() -> None:
    gates = InMemoryGateItems(images={ORDERS: GateState(window=8.0)})
    visit = replace(_visit(gates, FakeClock()), most=3)
    assert len(visit.enter(8).permits) == 3


def test_a_batch_heeds_what_every_target_has_met() -> None:
    clock, gates = FakeClock(), InMemoryGateItems()
    now_ms = int(clock().timestamp() * 1000)
    gates.images[EVERY_TARGET] = GateState(throttled_at_ms=now_ms)
    assert not _visit(gates, clock).enter(1).permits
    clock.advance(1)
    assert _visit(gates, clock).enter(1).permits
