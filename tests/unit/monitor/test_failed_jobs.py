"""Jobs that were given up are told by name, each once; a storm is counted, and never quotes a payload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import InMemoryBus, InMemoryJobBook
from reprise.errors import StoreError
from reprise.events import JobFailed, MoreJobsFailed
from reprise.given_up import LINES_A_MINUTE, GivenUpJob
from reprise.monitor.failed_jobs import FailedJobs

NIGHTLY = "arn:aws:batch:eu-central-1:123456789012:job-definition/nightly"


def job(number: int = 1, **changes: Any) -> GivenUpJob:
    fields = {
        "job": f"nightly-{number}",
        "reason": "Essential container in task exited; exit code 3",
        "attempts": 3,
        "id": f"batch:{number}",
        "function": NIGHTLY,
        **changes,
    }
    return GivenUpJob(**fields)


@dataclass
class Rig:
    book: InMemoryJobBook = field(default_factory=InMemoryJobBook)
    bus: InMemoryBus = field(default_factory=InMemoryBus)
    stack: str = "reprise"

    def look(self) -> list[Any]:
        """Look once, and return what was told."""
        before = len(self.bus.sent)
        FailedJobs(stack=self.stack, book=self.book, bus=self.bus).check()
        return self.bus.sent[before:]


def test_failed_job_is_told_once_with_name_reason_attempts_and_what_shows_it() -> None:
    rig = Rig()
    rig.book.add(job())
    (told,) = rig.look()
    assert told == JobFailed(
        stack="reprise",
        job="nightly-1",
        reason="Essential container in task exited; exit code 3",
        attempts=3,
        id="batch:1",
        function=NIGHTLY,
        summary="reprise: nightly-1 failed by Essential container in task exited; exit code 3. Attempts: 3",
        command="reprise calls show batch:1",
    )
    assert rig.look() == []


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "reprise calls show batch:1 --stack-name shop"),
        ({"id": "nightly/a b"}, "reprise calls show 'nightly/a b' --stack-name shop"),
        ({"id": "nightly/PLANTED", "is_keyed": True}, "reprise dlq list --stack-name shop"),
        ({"id": None}, "reprise schedule history nightly-1 --stack-name shop"),
    ],
)
def test_command_can_be_pasted(changes: dict[str, Any], command: str) -> None:
    rig = Rig(stack="shop")
    rig.book.add(job(**changes))
    (told,) = rig.look()
    assert told.command == command


def test_what_slack_obeys_is_text() -> None:
    rig = Rig()
    rig.book.add(job(reason='<!channel> "x" `y`'))
    (told,) = rig.look()
    assert told.reason == "(!channel) 'x' 'y'"


def test_storm_is_told_by_its_first_jobs_and_how_many_more_there_are() -> None:
    rig = Rig()
    for number in range(5_000):
        rig.book.add(job(number))
    told = rig.look()
    named = [event for event in told if isinstance(event, JobFailed)]
    (more,) = [event for event in told if isinstance(event, MoreJobsFailed)]
    assert (len(named), more.count) == (LINES_A_MINUTE, 5_000 - LINES_A_MINUTE)
    assert more.summary == f"reprise: {5_000 - LINES_A_MINUTE} more jobs failed, too many to name"
    assert more.command == "reprise dlq list"
    assert rig.look() == []


@given(numbers=st.lists(st.lists(st.integers(0, 30), max_size=40), max_size=6))
def test_every_job_of_a_minute_is_told_by_name_or_counted(numbers: list[list[int]]) -> None:
    rig = Rig()
    for of_a_minute in numbers:
        for number in of_a_minute:
            rig.book.add(job(number))
        told = rig.look()
        assert len(told) <= LINES_A_MINUTE + 1
        named = [event.id for event in told if isinstance(event, JobFailed)]
        more = sum(event.count for event in told if isinstance(event, MoreJobsFailed))
        assert len(set(named)) == len(named)
        # A job that is only counted may be counted again if its letter had to be sent again.
        assert len(set(of_a_minute)) <= len(named) + more <= len(of_a_minute)


@pytest.mark.parametrize("fault", ["put", "take"])
def test_what_was_interrupted_is_told_again_by_the_same_id(fault: str) -> None:
    rig = Rig()
    rig.book.add(job())
    (rig.bus if fault == "put" else rig.book).faults.fail(fault)
    with pytest.raises(StoreError):
        rig.look()
    assert [event.id for event in rig.look()] == ["batch:1"]
    assert rig.look() == []


def test_event_that_the_bus_refuses_is_told_again() -> None:
    rig = Rig(bus=InMemoryBus(refuses=1))
    rig.book.add(job())
    with pytest.raises(StoreError):
        rig.look()
    rig.bus.refuses = 0
    assert [event.id for event in rig.look()] == ["batch:1"]
