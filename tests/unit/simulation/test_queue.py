"""The limits of the simulated queue are SQS's own, and what they end is reported."""

from __future__ import annotations

from random import Random

import pytest

from reprise.errors import StoreError
from reprise.ports import OutMessage
from simulation.queue import SimulatedQueue


class Desk:
    """A queue, its time, and what it reports."""

    def __init__(self, *faults: str, **limits: float) -> None:
        self.now_s = 0.0
        self.reports: list[tuple[str, str]] = []
        self.faults = set(faults)
        self.queue = SimulatedQueue(
            name="q",
            now_s=lambda: self.now_s,
            random=Random(1),
            is_met=lambda kind: kind in self.faults,
            report=lambda kind, what: self.reports.append((kind, what)),
            **limits,  # type: ignore[arg-type]
        )

    def send(self, *bodies: str) -> None:
        self.queue.send([OutMessage(body=body) for body in bodies])


def test_a_message_that_is_received_comes_again_after_its_visibility_timeout() -> None:
    desk = Desk(visibility_s=30.0)
    desk.send("a")
    (first,) = desk.queue.receive(10)
    assert desk.queue.receive(10) == []
    assert desk.queue.next_due_s() == 30.0
    desk.now_s = 30.0
    (second,) = desk.queue.receive(10)
    assert (first.receive_count, second.receive_count) == (1, 2)
    desk.queue.delete(second.handle)
    assert desk.queue.depth() == 0


def test_a_wait_is_rounded_up_to_whole_seconds() -> None:
    desk = Desk()
    desk.send("a")
    (message,) = desk.queue.receive(10)
    desk.queue.give_back({message.handle: 1.2})
    assert desk.queue.next_due_s() == 2.0


def test_a_message_that_was_received_too_often_is_moved_and_reported() -> None:
    desk = Desk(max_receives=2, visibility_s=0.0)
    desk.send("a")
    assert [len(desk.queue.receive(1)) for _ in range(3)] == [1, 1, 0]
    assert [kind for kind, _ in desk.reports] == ["queue limit"]
    assert desk.queue.depth() == 0


def test_an_offset_makes_a_message_older_and_oftener_received_than_it_is() -> None:
    desk = Desk(receives_offset=490, age_offset_s=1000.0, max_receives=492, retention_s=1050.0)
    desk.send("a", "b")
    (message, *_) = desk.queue.receive(1)
    assert (message.receive_count, message.sent_at_s) == (491, -1000.0)
    desk.now_s = 51.0
    assert desk.queue.receive(10) == []
    assert len(desk.reports) == 2


def test_no_more_messages_are_in_flight_than_the_limit() -> None:
    desk = Desk(in_flight_limit=2, visibility_s=30.0)
    desk.send("a", "b", "c")
    assert len(desk.queue.receive(10)) == 2
    assert desk.queue.receive(10) == []
    assert desk.queue.next_due_s() == 30.0


def test_one_message_may_come_twice_in_one_batch_with_two_handles() -> None:
    desk = Desk("twin")
    desk.send("a")
    first, second = desk.queue.receive(10)
    assert first.name == second.name
    assert first.handle != second.handle


def test_a_batch_may_be_sent_in_part() -> None:
    desk = Desk("send in part")
    with pytest.raises(StoreError):
        desk.send("a", "b")
