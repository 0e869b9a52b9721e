"""Live traffic beside a chaos test: when calls are made, how they are counted, what is compared."""

from __future__ import annotations

import io
import itertools
import json
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeClock
from reprise.testing import START_AT
from reprise_cli.chaos.live import (
    LiveCall,
    LiveEnd,
    LiveReport,
    LiveTally,
    arrivals,
    during,
    tally,
)
from reprise_cli.chaos.traffic import LiveTraffic

if TYPE_CHECKING:
    from collections.abc import Callable


@given(st.floats(min_value=0.1, max_value=1000), st.integers(min_value=0, max_value=9))
def test_arrivals_are_at_their_rate_and_the_same_for_the_same_seed(rate: float, seed: int) -> None:
    instants = list(islice(arrivals(rate, seed), 2000))
    assert all(before < after for before, after in pairwise(instants))
    assert 2000 / instants[-1] == pytest.approx(rate, rel=0.15)
    assert instants == list(islice(arrivals(rate, seed), 2000))


def test_calls_are_told_by_how_they_ended_and_by_when_they_began() -> None:
    ends = [LiveEnd.ANSWERED, LiveEnd.THROTTLED, LiveEnd.FAILED, LiveEnd.THROTTLED]
    calls = [
        LiveCall(number=second, started_at=START_AT + timedelta(seconds=second), end=end)
        for second, end in enumerate(ends)
    ]
    assert tally(calls) == LiveTally(calls=4, throttled=2, failed=1)
    inside = during(calls, START_AT + timedelta(seconds=1), START_AT + timedelta(seconds=2))
    assert inside == calls[1:3]


def test_what_replay_costs_is_the_difference_of_the_shares() -> None:
    report = LiveReport(
        without_replay=LiveTally(calls=200, throttled=1),
        with_replay=LiveTally(calls=1000, throttled=12, failed=1),
    )
    assert report.document() == {
        "without_replay": {
            "calls": 200,
            "throttled": 1,
            "failed": 0,
            "throttled_percent": 0.5,
        },
        "with_replay": {
            "calls": 1000,
            "throttled": 12,
            "failed": 1,
            "throttled_percent": 1.2,
        },
        "extra_throttled_percent": 0.7,
    }
    assert LiveTally().throttled_percent == 0.0


@dataclass
class FakeTarget:
    """Answers by the call's number: throttled, timed out, failed by itself, or well."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        assert FunctionName == "orders"
        payload = json.loads(Payload)
        self.asked.append(payload)
        answer = {"Payload": io.BytesIO(b"{}")}
        match payload["call"] % 5:
            case 1:
                error = {"Error": {"Code": "TooManyRequestsException", "Message": "no"}}
                raise ClientError(error, "Invoke")  # type: ignore[arg-type]
            case 2:
                raise ReadTimeoutError(endpoint_url="http://x")
            case 3:
                return {**answer, "FunctionError": "Unhandled"}
            case 4:
                raise ClientError({"Error": {"Code": "ServiceException"}}, "Invoke")
            case _:
                return answer


def make_traffic(
    target: FakeTarget, pause: Callable[[threading.Event, float], bool]
) -> LiveTraffic:
    return LiveTraffic(
        calls=target,  # type: ignore[arg-type]
        function="orders",
        run="run-1-live",
        rate_per_s=20.0,
        work_ms=100,
        clock=FakeClock(),
        pause=pause,
    )


def test_traffic_is_paced_and_every_end_is_counted() -> None:
    target = FakeTarget()
    pauses_s: list[float] = []
    has_seen_enough = threading.Event()

    def pause(stop: threading.Event, wait_s: float) -> bool:
        pauses_s.append(wait_s)
        # Until the test has seen enough, then as long as it takes to be told to stop.
        if len(pauses_s) <= 50:
            return stop.is_set()
        has_seen_enough.set()
        return stop.wait(10)

    with make_traffic(target, pause).flowing() as calls:
        assert has_seen_enough.wait(10)

    assert tally(calls) == LiveTally(calls=50, throttled=10, failed=30)
    assert {call.started_at for call in calls} == {START_AT}
    assert sorted(call.number for call in calls) == list(range(1, 51))
    assert sorted(payload["call"] for payload in target.asked) == list(range(1, 51))
    assert {payload["run"] for payload in target.asked} == {"run-1-live"}
    # The schedule does not move because an answer is late: pauses follow it, not the calls.
    schedule = list(islice(arrivals(20.0, 1), 51))
    assert all(pause_s <= at_s for pause_s, at_s in zip(pauses_s, schedule, strict=True))
    assert pauses_s[-1] > 1.0


def test_calls_of_a_second_phase_have_numbers_of_their_own() -> None:
    """Both phases' receipts have one name."""
    seen, pauses = threading.Event(), itertools.count(1)

    def pause(stop: threading.Event, _wait_s: float) -> bool:
        if next(pauses) % 10:
            return stop.is_set()
        seen.set()
        return stop.wait(10)

    traffic = make_traffic(FakeTarget(), pause)
    numbers: list[int] = []
    for _ in range(2):
        with traffic.flowing() as calls:
            assert seen.wait(10)
        seen.clear()
        numbers += [call.number for call in calls]
    assert sorted(numbers) == list(range(1, 19))
