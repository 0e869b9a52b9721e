"""A visit while the gate can be reached: what it takes, hands on, brings back and tells, and its races."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from doubles import InMemoryGateItems
from reprise.call.outcome import OutcomeKind
from reprise.gate.fallback import LocalGate
from reprise.gate.lease import EPOCH_MS, slot_name
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.samples import Sample
from reprise.gate.session import GateSession, Permit, Permits
from reprise.gate.state import Change, GateState, HeldFor, Mode, Updated
from strategies import NOW_MS, ORDERS

EPOCH = NOW_MS // EPOCH_MS
LEASE_MS = 90_000
ENDS = (NOW_MS + LEASE_MS) // EPOCH_MS
SUCCESS = Sample(kind=OutcomeKind.SUCCEEDED, busy_ms=1000, has_left=True)
FAILURE = Sample(kind=OutcomeKind.FUNCTION_ERROR)
THROTTLE = Sample(kind=OutcomeKind.THROTTLED)
UNASKED = Sample(has_left=True)
STEADY = GateState(
    window=8.0,
    slow_start=0,
    epoch=EPOCH,
    succeeded=10,
    busy_ms=10_000,
    succeeded_at_ms=NOW_MS,
    throttled_at_ms=NOW_MS - 1000,
    changed_at_ms=NOW_MS - 5000,
)
PROBE_DUE = replace(
    STEADY,
    mode=Mode.HOLDING,
    held_for=HeldFor.THROTTLE,
    holding_since_ms=NOW_MS - 60_000,
    probe_at_ms=NOW_MS,
)


@dataclass(slots=True)
class RacingGates(InMemoryGateItems):
    """Gates that somebody else changes before the first changes of the test's own."""

    rivals: list[Change] = field(default_factory=list)
    reads: int = 0
    has_lost_answer: bool = False

    def read(self, function: str) -> GateState:
        self.reads += 1
        return InMemoryGateItems.read(self, function)

    def update(self, function: str, change: Change) -> Updated:
        if self.rivals:
            self.images[function] = self.rivals.pop(0).apply(self.images[function])
        updated = InMemoryGateItems.update(self, function, change)
        return replace(updated, applied=False) if self.has_lost_answer else updated


RIVAL = Change(add={"turn": 1, "in_flight": 1})


@dataclass
class Visit:
    """A session of one batch, its gates, and a clock by hand."""

    gate: GateState
    parameters: GateParameters = DEFAULTS
    now_ms: int = NOW_MS
    gates: RacingGates = field(default_factory=RacingGates)

    def __post_init__(self) -> None:
        self.gates.images[ORDERS] = self.gate
        self.session = GateSession(
            gates=self.gates,
            memory=LocalGate(),
            function=ORDERS,
            owner="batch",
            now_ms=lambda: self.now_ms,
            draw=lambda: 0.5,
            lease_ms=LEASE_MS,
            parameters=self.parameters,
        )

    @property
    def image(self) -> GateState:
        return self.gates.images[ORDERS]

    def leave(self, sample: Sample, *, is_wanted: bool = False) -> Permit | None:
        return self.session.leave(Permit(epoch=ENDS), sample, is_wanted=is_wanted)


@pytest.mark.parametrize(
    ("service_s", "wanted", "permits", "room"),
    [
        pytest.param(1.0, 8, 8, 0, id="a permit for each"),
        pytest.param(1.0, 30, 8, 22, id="four rounds, for fewer than that"),
        pytest.param(1.0, 50, 8, 32, id="four rounds"),
        pytest.param(1.4, 50, 8, 16, id="two, and a part of one that counts as none"),
        pytest.param(60.0, 50, 8, 0, id="none while the room is open"),
        pytest.param(60.1, 50, 8, 42, id="all, for one that may turn out to have ended"),
    ],
)
def test_as_many_calls_may_wait_as_their_permits_have_rounds_in_the_time(
    service_s: float, wanted: int, permits: int, room: int
) -> None:
    visit = Visit(replace(STEADY, busy_ms=round(10_000 * service_s)))
    entry = visit.session.enter(wanted)
    assert entry == Permits(permits=(Permit(epoch=ENDS),) * permits, room=room)
    visit.now_ms += 3999
    assert visit.session.is_room_open()
    visit.now_ms += 1
    assert not visit.session.is_room_open()


def test_a_probe_is_alone_and_hands_nothing_on() -> None:
    visit = Visit(PROBE_DUE)
    entry = visit.session.enter(10)
    assert entry == Permits(permits=(Permit(epoch=0),), is_probe=True)
    assert not visit.session.is_over()
    assert visit.leave(SUCCESS, is_wanted=True) is None
    assert visit.session.is_over()
    assert visit.image.mode == Mode.FLOWING


@pytest.mark.parametrize(("rivals", "permits"), [(0, 8), (3, 5), (4, 0)])
def test_a_lost_race_for_permits_is_run_again_three_times_from_the_gate_that_was_met(
    rivals: int, permits: int
) -> None:
    visit = Visit(STEADY)
    visit.gates.rivals = [RIVAL] * rivals
    assert len(visit.session.enter(8).permits) == permits
    assert visit.gates.writes == min(4, rivals + 1)
    assert visit.image.in_flight == rivals + permits


def test_a_probe_whose_answer_was_lost_is_ours_and_anothers_is_not() -> None:
    visit = Visit(PROBE_DUE)
    visit.gates.has_lost_answer = True
    assert visit.session.enter(1).is_probe
    assert visit.gates.writes == 1
    other = Visit(PROBE_DUE)
    taken: dict[str, str | int] = {"mode": Mode.PROBING, "probe_owner": "b"}
    other.gates.rivals = [Change(put={**taken, "probe_at_ms": NOW_MS + LEASE_MS})]
    assert other.session.enter(1) == Permits()


@pytest.mark.parametrize(
    ("changes", "later_ms", "sample", "is_handed"),
    [
        pytest.param({}, 0, SUCCESS, True, id="a success"),
        pytest.param({}, 0, UNASKED, True, id="a call that had ended"),
        pytest.param({}, 0, THROTTLE, False, id="a throttle"),
        pytest.param({}, 3999, SUCCESS, True, id="the last moment of its room"),
        pytest.param({}, 4000, SUCCESS, False, id="its room is closed"),
        pytest.param({"in_flight": 8}, 0, SUCCESS, True, id="as many out as the window has"),
        pytest.param({"in_flight": 9}, 0, SUCCESS, False, id="more out than the window has"),
        pytest.param({"throttled_at_ms": NOW_MS}, 299, SUCCESS, False, id="the brake is on"),
        pytest.param({"throttled_at_ms": NOW_MS}, 300, SUCCESS, True, id="the brake is off"),
        pytest.param({"mode": Mode.HOLDING}, 0, SUCCESS, False, id="the gate holds"),
    ],
)
def test_a_permit_goes_to_the_next_call_while_the_gate_that_was_last_seen_allows_it(
    changes: dict[str, int | str], later_ms: int, sample: Sample, *, is_handed: bool
) -> None:
    visit = Visit(STEADY)
    visit.session.enter(8)
    visit.gates.images[ORDERS] = Change(put=changes).apply(replace(visit.image, in_flight=7))
    visit.session.leave(Permit(epoch=EPOCH - 99), FAILURE, is_wanted=False)
    visit.now_ms += later_ms
    handed = visit.leave(sample, is_wanted=True)
    assert handed == (Permit(epoch=ENDS, is_handed=True) if is_handed else None)
    assert not visit.session.is_over()


def test_what_is_handed_on_is_told_as_such_and_teaches_nothing() -> None:
    visit = Visit(replace(STEADY, window=2.0, in_flight=0))
    visit.session.enter(4)
    assert visit.leave(SUCCESS, is_wanted=True) is not None
    assert visit.leave(SUCCESS, is_wanted=True) is not None
    for _ in range(2):
        assert visit.leave(SUCCESS) is None
    assert visit.session.is_over()
    after = visit.image
    assert (after.in_flight, after.succeeded, after.busy_ms, after.waiting) == (0, 14, 14_000, -4)
    unhanded = Visit(replace(STEADY, window=2.0, in_flight=0))
    unhanded.session.enter(2)
    for _ in range(2):
        unhanded.leave(SUCCESS)
    assert 2.0 < after.window == unhanded.image.window


def test_the_gate_hears_of_a_visit_when_half_its_permits_are_idle_at_news_and_at_its_end() -> None:
    visit = Visit(STEADY)
    visit.session.enter(8)
    writes = [visit.gates.writes]
    for sample in (*[SUCCESS] * 5, FAILURE, *[SUCCESS] * 2):
        visit.leave(sample)
        writes.append(visit.gates.writes)
    assert writes == [1, 1, 1, 1, 2, 2, 3, 3, 4]
    assert visit.session.is_over()
    assert (visit.image.in_flight, getattr(visit.image, slot_name(ENDS))) == (0, 0)


@pytest.mark.parametrize(("rivals", "is_told"), [(0, True), (3, True), (4, False)])
def test_a_lost_race_to_tell_is_run_again_three_times(rivals: int, *, is_told: bool) -> None:
    visit = Visit(replace(STEADY, slow_start=1))
    visit.session.enter(1)
    visit.gates.rivals = [Change(add={"turn": 1})] * rivals
    visit.gates.images[ORDERS] = replace(PROBE_DUE, held_for=HeldFor.FAULT, in_flight=1)
    before = visit.gates.writes
    visit.leave(SUCCESS)
    assert (visit.image.mode == Mode.FLOWING) is is_told
    assert visit.gates.writes - before == min(4, rivals + 1)


def test_a_throttle_of_before_a_cut_does_not_cut_again_however_often_the_visit_tells() -> None:
    visit = Visit(replace(STEADY, turn=3, slow_start=1))
    visit.session.enter(8)
    visit.leave(THROTTLE)
    cut = visit.image
    assert (cut.turn, cut.slow_start) == (4, 0)
    visit.leave(THROTTLE)
    assert visit.image.turn == 4
    assert visit.image.window == pytest.approx(cut.window - 1)


def test_slow_start_hears_of_a_round_when_all_its_permits_have_brought_a_success() -> None:
    visit = Visit(replace(STEADY, slow_start=1))
    visit.session.enter(16)
    told = []
    for _ in range(9):
        assert visit.leave(SUCCESS, is_wanted=True) is not None
        told.append(visit.image.succeeded)
    assert told == [*[10] * 7, 18, 18]
    assert visit.image.window == 32


def test_a_visit_goes_by_its_own_numbers() -> None:
    slow = replace(DEFAULTS, ramp=2.0, room_s=2.0, brake_s=2.0)
    visit = Visit(replace(STEADY, slow_start=1, throttled_at_ms=0), parameters=slow)
    assert visit.session.enter(50).room == 16
    for _ in range(4):
        visit.leave(SUCCESS)
    assert visit.image.window == 8 + 4 * (2 - 1)
    assert Visit(STEADY, parameters=slow).session.enter(8) == Permits()
