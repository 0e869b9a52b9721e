from __future__ import annotations

from threading import Barrier

import pytest

from doubles import FakeMeter
from reprise.errors import ScheduleError
from reprise_schedules.warm import Ping, Warmer, read_order


class FakePings:
    """Answers when so many pings are on their way at once."""

    def __init__(self, at_once: int, ends: dict[str, Ping]) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self._barrier = Barrier(at_once, timeout=10)
        self._ends = ends

    def ping(self, function: str, payload: bytes) -> Ping:
        self.asked.append((function, payload))
        self._barrier.wait()
        return self._ends.get(function, Ping())


def test_pings_of_all_functions_overlap_and_throttles_are_only_counted() -> None:
    pings = FakePings(6, {"b": Ping(is_throttled=True), "c": Ping(is_cold=True, is_failed=True)})
    meter = FakeMeter()
    order = read_order({"functions": "a, b,c", "concurrency": 2, "payload": {"ping": 1}})
    counts = Warmer(pings=pings, meter=meter).run(order)
    assert sorted(pings.asked) == [(name, b'{"ping":1}') for name in "aabbcc"]
    assert counts == {"WarmPings": 6, "WarmColdStarts": 2, "WarmThrottled": 2, "WarmFailed": 2}
    assert dict(meter.counts) == counts


def test_cold_starts_that_no_log_tail_tells_of_are_not_said_to_be_none() -> None:
    meter = FakeMeter()
    counts = Warmer(pings=FakePings(1, {}), meter=meter).run(read_order({"functions": "a"}))
    assert counts == {"WarmPings": 1, "WarmThrottled": 0, "WarmFailed": 0}
    assert dict(meter.counts) == counts


@pytest.mark.parametrize(
    "event",
    [None, {}, {"functions": " , "}, {"functions": "a", "concurrency": 0}, {"function": "a"}],
)
def test_event_that_asks_for_nothing_is_refused(event: object) -> None:
    with pytest.raises(ScheduleError):
        read_order(event)
