"""Several replayers, some of which die, share one gate: never more than its window, never two probes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from doubles import FakeClock, InMemoryGateItems
from reprise.call.outcome import OutcomeKind
from reprise.gate.fallback import LocalGate
from reprise.gate.limit import gap_s
from reprise.gate.paused import hold_paused, is_paused
from reprise.gate.samples import Sample
from reprise.gate.session import GateSession, Permit
from reprise.gate.state import GateState, Mode
from strategies import ORDERS

LEASES_S = (1, 60, 900, 1800)
"""Of replayers that have just begun, that are late, and of one with another timeout."""
kinds = st.sampled_from(
    [None, OutcomeKind.SUCCEEDED, OutcomeKind.THROTTLED, OutcomeKind.FUNCTION_ERROR]
)


class GateMachine(RuleBasedStateMachine):
    """Batches are admitted, run for less than their lease, and end call by call, or their owner dies."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.gates = InMemoryGateItems()
        self.memory = LocalGate()
        self.batches = 0
        self.forgotten: set[str] = set()
        self.running: dict[str, tuple[GateSession, list[Permit], float, bool]] = {}

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 5.0, 30.0, 300.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        # Lambda stops what runs too long, and its batch is never settled.
        now_ms = self._now_ms()
        self.running = {owner: run for owner, run in self.running.items() if run[2] > now_ms}

    @rule(
        wanted=st.integers(1, 10),
        lease_s=st.sampled_from(LEASES_S),
        most=st.sampled_from([None, 1, 5]),
    )
    def a_batch_comes(self, wanted: int, lease_s: int, most: int | None) -> None:
        self.batches += 1
        owner = f"batch-{self.batches}"
        visit = GateSession(
            gates=self.gates,
            memory=self.memory,
            function=ORDERS,
            owner=owner,
            now_ms=self._now_ms,
            draw=lambda: 0.5,
            lease_ms=lease_s * 1000,
            most=most,
        )
        before = self.gates.read(ORDERS)
        entry = visit.enter(wanted)
        assert len(entry.permits) + entry.room <= wanted
        if is_paused(before):
            assert not is_paused(self.gates.read(ORDERS))
            assert not entry.is_probe
        elif before.mode != Mode.FLOWING:
            assert entry.is_probe == bool(entry.permits)
            assert not entry.permits or before.probe_at_ms <= self._now_ms()
        elif entry.permits and most:
            after = self.gates.read(ORDERS)
            assert (after.cap, int(after.window) <= most) == (most, True)
            assert after.in_flight <= most
        if entry.permits:
            until_ms = self._now_ms() + lease_s * 1000 - 1
            self.running[owner] = (visit, list(entry.permits), until_ms, entry.is_probe)

    @rule(data=st.data(), kind=kinds, is_wanted=st.booleans())
    def a_call_ends(self, data: st.DataObject, kind: OutcomeKind | None, is_wanted: bool) -> None:
        if not self.running:
            return
        owner = data.draw(st.sampled_from(sorted(self.running)))
        visit, permits, *_ = self.running[owner]
        handed = visit.leave(permits.pop(), Sample(kind=kind, busy_ms=500), is_wanted=is_wanted)
        if handed is not None:
            assert is_wanted
            permits.append(handed)
        if not permits:
            assert visit.is_over()
            del self.running[owner]

    @rule()
    def a_replayer_finds_the_policy_not_enabled(self) -> None:
        # Nobody waits for a probe of before: what it met says nothing to a gate that is paused.
        self.forgotten |= self.running.keys()
        assert is_paused(hold_paused(self.gates, ORDERS, self._now_ms()))

    @rule(data=st.data())
    def a_replayer_dies(self, data: st.DataObject) -> None:
        if self.running:
            del self.running[data.draw(st.sampled_from(sorted(self.running)))]

    @invariant()
    def permits_that_are_out_are_counted(self) -> None:
        """What runs is never more than what the gate knows of, so that no window is exceeded."""
        out = sum(len(run[1]) for run in self.running.values() if not run[3])
        assert out <= self.gates.read(ORDERS).in_flight

    @invariant()
    def there_is_at_most_one_probe(self) -> None:
        probes = [owner for owner, run in self.running.items() if run[3]]
        probes = [owner for owner in probes if owner not in self.forgotten]
        assert len(probes) <= 1
        gate = self.gates.read(ORDERS)
        if probes:
            assert (gate.mode, gate.probe_owner) == (Mode.PROBING, probes[0])

    @invariant()
    def a_hold_ends(self) -> None:
        """However long it has lasted, somebody may probe within a minute, or within a lease."""
        gate = self.gates.read(ORDERS)
        longest_s = max(LEASES_S) if gate.mode == Mode.PROBING else 60
        if gate.mode != Mode.FLOWING:
            assert 2 <= gap_s(gate, self._now_ms()) <= 60
            assert gate.probe_at_ms <= self._now_ms() + 1000 * longest_s

    @invariant()
    def the_window_is_at_least_one(self) -> None:
        assert self.gates.read(ORDERS).window >= 1
        assert GateState().window >= 1


GateMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestGate = GateMachine.TestCase
