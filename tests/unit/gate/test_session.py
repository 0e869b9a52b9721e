"""A visit: who may probe, when others come again, what every target hears; and all that without gates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from doubles import InMemoryGateItems
from reprise.call.outcome import OutcomeKind
from reprise.gate.adjust import may_probe
from reprise.gate.fallback import SPREAD_S, LocalGate
from reprise.gate.lease import holding_spread_s
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.samples import Sample
from reprise.gate.session import EVERY_TARGET, GateSession, Permit, Permits
from reprise.gate.state import GateState, HeldFor, Mode
from strategies import NOW_MS, ORDERS

ROOM_MS = round(DEFAULTS.room_s * 1000)
SUCCESS = Sample(kind=OutcomeKind.SUCCEEDED, busy_ms=1000, has_left=True)
THROTTLE = Sample(kind=OutcomeKind.THROTTLED)
WIDE = Sample(kind=OutcomeKind.THROTTLED, reason="CallerRateLimitExceeded")
HELD = GateState(
    mode=Mode.HOLDING,
    held_for=HeldFor.FAULT,
    holding_since_ms=NOW_MS - 1_000_000,
    probed_at_ms=NOW_MS - 100_000,
    probe_at_ms=NOW_MS,
)


@dataclass
class Visit:
    """A session, its gates, and a clock by hand."""

    gate: GateState | None = None
    now_ms: int = NOW_MS
    parameters: GateParameters = DEFAULTS
    gates: InMemoryGateItems = field(default_factory=InMemoryGateItems)
    memory: LocalGate = field(default_factory=LocalGate)

    def __post_init__(self) -> None:
        if self.gate is not None:
            self.gates.images[ORDERS] = self.gate
        self.session = GateSession(
            gates=self.gates,
            memory=self.memory,
            function=ORDERS,
            owner="batch",
            now_ms=lambda: self.now_ms,
            draw=lambda: 0.5,
            lease_ms=90_000,
            parameters=self.parameters,
        )

    @property
    def every_target(self) -> GateState:
        return self.gates.images.get(EVERY_TARGET, GateState())


# --- the probe of a target that is held because calls failed ---


@pytest.mark.parametrize(
    ("probed_s_ago", "held_s", "backoff_s", "may"),
    [
        pytest.param(60, 600, 60, True, id="as long as its own policy would have it wait"),
        pytest.param(59.999, 600, 60, False, id="a moment less"),
        pytest.param(100, 1000, 60, True, id="a tenth of the hold's age"),
        pytest.param(99.999, 1000, 60, False, id="a moment less of that"),
        pytest.param(10**6, 60, 60, True, id="the hold is the last that was heard"),
        pytest.param(10**6, 59.999, 60, False, id="and it is young"),
    ],
)
def test_a_call_that_failed_before_is_the_probe_after_a_quiet_time_only(
    probed_s_ago: float, held_s: float, backoff_s: float, *, may: bool
) -> None:
    gate = replace(
        HELD,
        holding_since_ms=NOW_MS - round(1000 * held_s),
        probed_at_ms=NOW_MS - round(1000 * probed_s_ago),
    )
    assert may_probe(gate, failures=1, backoff_s=backoff_s, now_ms=NOW_MS) is may
    assert may_probe(gate, failures=0, backoff_s=backoff_s, now_ms=NOW_MS)


def test_a_visit_judges_a_probe_by_the_gate_that_it_has_read_and_its_own_numbers() -> None:
    visit = Visit(HELD)
    assert visit.session.is_choosy()
    assert visit.session.may_probe(1, 100.0)
    assert not visit.session.may_probe(1, 100.001)
    assert visit.session.may_probe(0, 100.001)
    visit.now_ms += 1
    assert visit.session.may_probe(1, 100.001)
    patient = Visit(HELD, parameters=replace(DEFAULTS, gap_share=0.2))
    assert patient.session.is_choosy()
    assert not patient.session.may_probe(1, 100.0)


# --- when calls without a permit come again ---


def test_calls_without_a_permit_come_after_the_gates_wait_spread_by_their_draw() -> None:
    visit = Visit(replace(HELD, probe_at_ms=NOW_MS + 7000))
    assert visit.session.enter(1) == Permits()
    nearest_s, farthest_s = (visit.session.wait_s(draw) for draw in (0.0, 1.0))
    assert nearest_s == 7
    assert farthest_s == 7 + holding_spread_s(HELD, NOW_MS)
    assert visit.session.wait_s(0.5) == pytest.approx((nearest_s + farthest_s) / 2)


def test_asking_for_a_wait_is_no_asking_for_a_probe_that_is_due() -> None:
    visit = Visit(HELD)
    assert visit.session.is_choosy()
    assert visit.session.wait_s(0.0) == 0


# --- throttles that every target meets ---


def test_a_throttle_of_the_account_is_told_to_every_target() -> None:
    visit = Visit()
    (permit, *_) = visit.session.enter(1).permits
    visit.session.leave(permit, WIDE, is_wanted=False)
    assert visit.every_target == GateState(throttled_at_ms=NOW_MS, changed_at_ms=NOW_MS)


def test_a_throttle_of_one_target_is_told_to_no_other() -> None:
    visit = Visit()
    (permit, *_) = visit.session.enter(1).permits
    visit.session.leave(permit, THROTTLE, is_wanted=False)
    assert visit.every_target == GateState()


@pytest.mark.parametrize(("since_ms", "cuts"), [(999, False), (1000, True)])
def test_every_target_is_cut_once_a_second(since_ms: int, *, cuts: bool) -> None:
    visit = Visit()
    before_ms = NOW_MS - since_ms
    visit.gates.images[EVERY_TARGET] = GateState(changed_at_ms=before_ms)
    (permit, *_) = visit.session.enter(1).permits
    visit.session.leave(permit, WIDE, is_wanted=False)
    told = visit.every_target
    assert (told.throttled_at_ms, told.changed_at_ms) == (NOW_MS, NOW_MS if cuts else before_ms)


@pytest.mark.parametrize("at_ms", [NOW_MS - 1, NOW_MS - 9000])
def test_a_cut_of_every_target_is_made_to_the_one_that_was_seen_only(at_ms: int) -> None:
    visit = Visit(GateState(window=4.0, slow_start=0, changed_at_ms=NOW_MS))
    visit.gates.images[EVERY_TARGET] = GateState(changed_at_ms=NOW_MS - 5000)
    first, second, *_ = visit.session.enter(4).permits
    another = GateState(changed_at_ms=at_ms, throttled_at_ms=at_ms)
    visit.gates.images[EVERY_TARGET] = another
    visit.session.leave(first, WIDE, is_wanted=False)
    assert visit.every_target == another
    visit.now_ms += 999
    visit.session.leave(second, WIDE, is_wanted=False)
    assert visit.every_target.changed_at_ms == NOW_MS + 999


# --- while the gates cannot be reached ---


def _away(visit: Visit, wanted: int) -> Permits:
    visit.gates.faults.fail("read", 99)
    return visit.session.enter(wanted)


def test_without_gates_one_call_goes_and_the_others_may_follow_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visit = Visit()
    entry = _away(visit, 10)
    assert entry == Permits(permits=(Permit(epoch=0),), room=9)
    assert not visit.session.is_over()
    assert visit.session.is_room_open()
    assert visit.session.store_faults == 1
    (record,) = caplog.records
    assert record.getMessage() == "gate is away: this process decides"
    assert (record.levelname, record.__dict__["target"]) == ("ERROR", ORDERS)


def test_without_gates_a_success_hands_its_permit_on_while_there_is_room() -> None:
    visit = Visit()
    (permit,) = _away(visit, 10).permits
    visit.now_ms += ROOM_MS - 1
    assert visit.session.is_room_open()
    handed = visit.session.leave(permit, SUCCESS, is_wanted=True)
    assert handed == Permit(epoch=0, is_handed=True)
    visit.now_ms += 1
    assert not visit.session.is_room_open()
    assert visit.session.leave(handed, SUCCESS, is_wanted=True) is None
    assert visit.session.is_over()


@pytest.mark.parametrize(
    ("sample", "is_wanted"), [(SUCCESS, False), (THROTTLE, True), (Sample(has_left=True), True)]
)
def test_without_gates_a_visit_is_over_after_a_failure_or_when_nobody_wants_the_permit(
    sample: Sample, *, is_wanted: bool
) -> None:
    visit = Visit()
    (permit,) = _away(visit, 10).permits
    assert visit.session.leave(permit, sample, is_wanted=is_wanted) is None
    assert visit.session.is_over()


def test_without_gates_a_failure_pauses_this_target_and_no_other() -> None:
    visit = Visit()
    (permit,) = _away(visit, 10).permits
    visit.session.leave(permit, THROTTLE, is_wanted=False)
    # Half of four seconds, by the draw; then so much farther as each one's own draw says.
    assert visit.session.wait_s(0.0) == 2
    assert visit.session.wait_s(0.25) == 2 + 0.25 * SPREAD_S
    assert not visit.memory.may_go(ORDERS, NOW_MS + 1999)
    assert visit.memory.may_go("other", NOW_MS)
    paused = Visit(now_ms=NOW_MS + 1999, memory=visit.memory)
    assert _away(paused, 1) == Permits()
    assert paused.session.is_over()
    resumed = Visit(now_ms=NOW_MS + 2000, memory=visit.memory)
    assert len(_away(resumed, 1).permits) == 1


def test_without_gates_a_success_forgets_failures_and_a_call_that_was_not_made_does_not() -> None:
    memory, now_ms = LocalGate(), NOW_MS
    for sample, waits_s in [
        (THROTTLE, 2),
        (Sample(), 1),
        (THROTTLE, 4),
        (SUCCESS, 1),
        (THROTTLE, 2),
    ]:
        now_ms += 60_000
        visit = Visit(now_ms=now_ms, memory=memory)
        (permit,) = _away(visit, 1).permits
        visit.session.leave(permit, sample, is_wanted=False)
        assert memory.wait_s(ORDERS, now_ms) == waits_s


def test_a_gate_that_cannot_be_told_is_noted_each_time_and_the_batch_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visit = Visit(GateState(window=4.0, slow_start=0))
    permits = visit.session.enter(4).permits
    visit.gates.faults.fail("update", 99)
    for permit in permits:
        assert visit.session.leave(permit, THROTTLE, is_wanted=False) is None
    assert visit.session.is_over()
    assert visit.session.store_faults == len(permits) > 1
    assert {record.getMessage() for record in caplog.records} == {"gate could not be told"}
