"""Several replayers, some of which die, share one gate: never more than one probe at a time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reprise.gate.keeper import GateKeeper
from reprise.gate.rule import gap_s
from reprise.gate.state import Mode, Tally
from reprise.testing import FakeClock, InMemoryGates
from strategies import ORDERS

LEASE_S = 40
results = st.sampled_from(
    [Tally(succeeded=1), Tally(executed=1), Tally(throttled=1), Tally(lost=1), Tally()]
)


class GateMachine(RuleBasedStateMachine):
    """A batch is admitted, runs for less than its lease, and is settled, or its owner dies."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.store = InMemoryGates()
        self.keeper = GateKeeper(store=self.store, clock=self.clock, probe_lease_s=LEASE_S)
        self.batches = 0
        self.running: dict[str, tuple[bool, float]] = {}
        """Owner of each running batch: whether it is a probe, and until when it can run."""

    def _now_s(self) -> float:
        return self.clock().timestamp()

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 5.0, 30.0, 300.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        # Lambda stops what runs too long, and its batch is never settled.
        now_s = self._now_s()
        self.running = {owner: run for owner, run in self.running.items() if run[1] > now_s}

    @rule(wanted=st.integers(1, 10))
    def a_batch_comes(self, wanted: int) -> None:
        before = self.store.read(ORDERS)
        self.batches += 1
        owner = f"batch-{self.batches}"
        admission = self.keeper.admit(ORDERS, wanted=wanted, owner=owner)
        assert 0 <= admission.permits <= wanted
        if before.mode is Mode.FLOWING:
            assert admission.permits == wanted
        else:
            assert admission.permits <= 1
            assert admission.is_probe == (admission.permits == 1)
            if self._now_ms() < before.probe_at_ms:
                assert admission.permits == 0
        if admission.permits:
            self.running[owner] = (admission.is_probe, self._now_s() + LEASE_S - 1)

    @rule(data=st.data(), tally=results)
    def a_batch_ends(self, data: st.DataObject, tally: Tally) -> None:
        if not self.running:
            return
        owner = data.draw(st.sampled_from(sorted(self.running)))
        is_probe, _ = self.running.pop(owner)
        before = self.store.read(ORDERS)
        self.keeper.settle(ORDERS, tally, owner=owner)
        after = self.store.read(ORDERS)
        if tally.throttled and (is_probe or before.mode is Mode.FLOWING):
            assert after.mode is Mode.HOLDING
        if is_probe and (tally.succeeded or tally.executed):
            assert after.mode is Mode.FLOWING
        if not is_probe and before.mode is not Mode.FLOWING:
            assert after == before

    @rule(data=st.data())
    def a_replayer_dies(self, data: st.DataObject) -> None:
        if self.running:
            del self.running[data.draw(st.sampled_from(sorted(self.running)))]

    @invariant()
    def there_is_at_most_one_probe(self) -> None:
        probes = [owner for owner, (is_probe, _) in self.running.items() if is_probe]
        assert len(probes) <= 1
        state = self.store.read(ORDERS)
        if probes:
            assert (state.mode, state.probe_owner) == (Mode.PROBING, probes[0])

    @invariant()
    def a_hold_ends(self) -> None:
        """However long it has lasted, somebody may probe within a minute, or within a lease."""
        state = self.store.read(ORDERS)
        if state.mode is not Mode.FLOWING:
            assert 2 <= gap_s(state, self._now_ms()) <= 60
            longest_ms = 1000 * max(60, LEASE_S)
            assert state.probe_at_ms <= self._now_ms() + longest_ms


GateMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestGate = GateMachine.TestCase
