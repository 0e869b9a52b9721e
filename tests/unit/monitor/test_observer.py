from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from doubles import FakeClock, Faults, InMemoryBus, InMemoryCounters, InMemoryGateItems
from reprise.errors import StoreError
from reprise.events import IncidentClosed, IncidentOpened
from reprise.gate.state import GateState, HeldFor, Mode
from reprise.monitor.counters import BacklogCounters
from reprise.monitor.incidents import Alarm
from reprise.monitor.monitor import Links, Monitor
from reprise.monitor.snapshot import MonitorState
from reprise.telemetry import EmfMeter

ORDERS = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
TEAM = "arn:aws:lambda:eu-central-1:123456789012:function:team-*"


@dataclass
class Rig:
    """An observer on doubles; it is a memory and a watch as well."""

    books: InMemoryCounters = field(default_factory=InMemoryCounters)
    gates: InMemoryGateItems = field(default_factory=InMemoryGateItems)
    bus: InMemoryBus = field(default_factory=InMemoryBus)
    clock: FakeClock = field(default_factory=FakeClock)
    faults: Faults = field(default_factory=Faults)
    kept: MonitorState = field(default_factory=MonitorState)
    states: list[Alarm] = field(default_factory=list)
    queued: int = 0
    live_successes: set[str] = field(default_factory=set)
    policy: str = "{}"
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    def load(self) -> MonitorState:
        return self.kept

    def save(self, memory: MonitorState) -> None:
        self.kept = memory

    def alarms(self) -> list[Alarm]:
        self.faults.check("alarms")
        return self.states

    def has_succeeded(self, function: str, since: datetime, now: datetime) -> bool:
        assert since <= now
        self.asked.append((function, since))
        return function in self.live_successes

    def filters_missing(self) -> int:
        return 1

    def read_policy(self) -> str:
        self.faults.check("policy")
        return self.policy

    def quarantined(self) -> int:
        return 3

    def look(self) -> None:
        meter = EmfMeter(targets=(ORDERS, TEAM))
        observer = Monitor(
            stack="shop",
            targets=(ORDERS, TEAM),
            counters=self.books,
            gates=self.gates,
            replay_queue=lambda: self.queued,
            capture_queue=lambda: 0,
            dead_letters=lambda: 2,
            memories=self,
            inspector=self,
            policy=self.read_policy,
            bus=self.bus,
            links=Links(dashboard="d", runbooks="r"),
            meter=meter,
            clock=self.clock,
        )
        try:
            observer.check()
        finally:
            meter.flush()
        self.clock.advance(60)


def measured(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], list[Any]]:
    """Return the values of each metric by target, empty for the whole stack."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        if "_aws" in document:
            for entry in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                found[entry["Name"], document.get("target", "")] += document[entry["Name"]]
    return found


def test_a_look_gauges_backlog_and_what_nobody_else_can(capsys: pytest.CaptureFixture[str]) -> None:
    rig = Rig(queued=7)
    rig.books.kept = {
        "orders": BacklogCounters(known=10, ended=3),
        "team-*": BacklogCounters(known=2, ended=2),
    }
    rig.look()
    found = measured(capsys)
    assert found["Backlog", "orders"] == [7]
    assert found["Backlog", "team-*"] == [0]
    assert found["BacklogTotal", ""] == [7]
    assert found["FiltersMissing", ""] == [1]
    assert found["QuarantineObjects", ""] == [3]
    assert ("OldestWaitingAge", "") not in found
    assert ("TimeToDrain", "") not in found, "nobody knows at the first look"


def test_the_second_look_knows_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    rig = Rig(queued=7)
    rig.books.kept = {"orders": BacklogCounters(known=10, ended=3)}
    rig.look()
    rig.books.kept = {"orders": BacklogCounters(known=10, ended=6)}
    capsys.readouterr()
    rig.look()
    # 3 a minute, 4 are left.
    assert measured(capsys)["TimeToDrain", ""] == [80]


def test_that_nothing_waits_is_said_too(capsys: pytest.CaptureFixture[str]) -> None:
    Rig().look()
    found = measured(capsys)
    assert (found["BacklogTotal", ""], found["OldestWaitingAge", ""]) == ([0], [0])


def test_gates_of_listed_targets_are_gauged_though_no_batch_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rig = Rig()
    since_ms = int(rig.clock().timestamp() * 1000) - 90_000
    rig.gates.images[ORDERS] = GateState(mode=Mode.HOLDING, holding_since_ms=since_ms)
    rig.look()
    found = measured(capsys)
    assert found["GateHoldAge", "orders"] == [90]
    assert found["GateState", "orders"] == [2]
    assert ("GateState", "team-*") not in found


def test_backlog_is_what_the_books_say_whatever_a_gate_reckons_to_be_folded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rig = Rig(queued=1)
    rig.books.kept = {"orders": BacklogCounters(known=10, ended=3)}
    rig.gates.images[ORDERS] = GateState(folded_records=1000)
    rig.look()
    found = measured(capsys)
    assert found["Backlog", "orders"] == [7]
    assert found["BacklogTotal", ""] == [7]


def test_books_that_are_off_are_mended_at_the_second_idle_look() -> None:
    rig = Rig()
    rig.books.kept = {"orders": BacklogCounters(known=10, ended=8)}
    rig.look()
    assert rig.books.kept["orders"].backlog == 2
    rig.look()
    assert rig.books.kept["orders"] == BacklogCounters(known=10, ended=10)


def test_an_incident_is_told_once() -> None:
    rig = Rig(states=[Alarm(name="dead-letters", state="ALARM")])
    rig.books.kept = {"orders": BacklogCounters(known=2, ended=2, dead={"expired": 2})}
    rig.look()
    rig.look()
    (incident,) = rig.bus.sent
    assert isinstance(incident, IncidentOpened)
    assert (incident.function, incident.count) == ("orders", 2)


@pytest.mark.parametrize("failure", ["away", "refused"])
def test_an_incident_that_was_not_taken_is_told_again(failure: str) -> None:
    rig = Rig(states=[Alarm(name="waiting", state="ALARM")])
    if failure == "away":
        rig.bus.faults.fail("put")
    else:
        rig.bus.refuses = 1
    with pytest.raises(StoreError):
        rig.look()
    rig.bus.refuses = 0
    rig.look()
    assert len(rig.bus.sent) == 1


def test_what_was_measured_is_written_though_the_look_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rig = Rig()
    rig.faults.fail("alarms")
    with pytest.raises(StoreError):
        rig.look()
    assert measured(capsys)["BacklogTotal", ""] == [0]


def held(rig: Rig, held_for: HeldFor) -> GateState:
    since_ms = int((rig.clock.now - timedelta(minutes=5)).timestamp() * 1000)
    return GateState(mode=Mode.HOLDING, held_for=held_for, holding_since_ms=since_ms)


def test_live_calls_that_succeed_end_a_hold_for_failures() -> None:
    rig = Rig(live_successes={ORDERS})
    rig.gates.images[ORDERS] = held(rig, HeldFor.FAULT)
    since = rig.clock.now - timedelta(minutes=5)
    rig.look()
    assert rig.gates.images[ORDERS].mode == Mode.FLOWING
    assert rig.asked == [(ORDERS, since)]


def test_a_hold_for_failures_stays_while_nothing_succeeds() -> None:
    rig = Rig()
    rig.gates.images[ORDERS] = held(rig, HeldFor.FAULT)
    rig.look()
    assert rig.gates.images[ORDERS].mode == Mode.HOLDING


def test_of_a_hold_for_throttles_nobody_asks_whether_live_calls_succeed() -> None:
    """They do, and that is why the replays hold."""
    rig = Rig(live_successes={ORDERS})
    rig.gates.images[ORDERS] = held(rig, HeldFor.THROTTLE)
    rig.look()
    assert rig.gates.images[ORDERS].mode == Mode.HOLDING
    assert rig.asked == []


def test_a_bad_policy_document_is_an_incident_with_the_line_at_fault_until_it_is_right() -> None:
    rig = Rig(policy='{"targets":{"orders":{"enbaled":false}}}')
    rig.look()
    rig.look()
    (opened,) = rig.bus.sent
    assert isinstance(opened, IncidentOpened)
    assert (opened.incident, opened.runbook) == ("policy-invalid", "r/policy.md")
    assert "targets.orders: Object contains unknown field 'enbaled'" in opened.summary
    rig.policy = "{}"
    rig.look()
    assert isinstance(rig.bus.sent[1], IncidentClosed)


def test_a_policy_that_cannot_be_read_for_a_moment_is_no_incident() -> None:
    rig = Rig()
    rig.faults.fail("policy")
    rig.look()
    assert rig.bus.sent == []
