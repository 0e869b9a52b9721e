"""What the gate costs: writes of its item for each call, at a window of 100 with batches of ten."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random

from doubles import FakeClock, InMemoryGateItems
from reprise.call.outcome import OutcomeKind
from reprise.gate.fallback import LocalGate
from reprise.gate.samples import Sample
from reprise.gate.session import GateSession, Permit
from reprise.gate.state import GateState
from strategies import ORDERS

CALLS = 5000


def test_a_call_costs_at_most_a_third_of_a_write() -> None:
    clock, random = FakeClock(), Random(1)
    gates = InMemoryGateItems()
    now_ms = int(clock().timestamp() * 1000)
    steady = GateState(window=100.0, slow_start=0, throttled_at_ms=now_ms - 1000)
    gates.images[ORDERS] = replace(steady, succeeded=1000, busy_ms=1_000_000)
    running: list[tuple[GateSession, Permit, deque[int]]] = []
    ended = batches = 0
    while ended < CALLS:
        batches += 1
        visit = GateSession(
            gates=gates,
            memory=LocalGate(),
            function=ORDERS,
            owner=f"batch {batches}",
            now_ms=lambda: int(clock().timestamp() * 1000),
            draw=random.random,
            lease_ms=90_000,
        )
        entry = visit.enter(10)
        room = deque(range(entry.room))
        running += [(visit, permit, room) for permit in entry.permits]
        # 100 permits serve a hundred calls of a second's length a second; a batch comes every tenth.
        for _ in range(min(10, len(running))):
            clock.advance(0.01)
            visit, permit, room = running.pop(random.randrange(len(running)))
            sample = Sample(kind=OutcomeKind.SUCCEEDED, busy_ms=1000, has_left=True)
            handed = visit.leave(permit, sample, is_wanted=bool(room))
            ended += 1
            if handed is not None:
                room.popleft()
                running.append((visit, handed, room))
    assert gates.writes / ended <= 0.35
