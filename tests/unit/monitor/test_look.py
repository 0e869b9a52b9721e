from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise.monitor.counters import BacklogCounters
from reprise.monitor.snapshot import KEPT_LOOKS, MonitorState, drifted, remember, time_to_drain_s

OPEN = {"orders": BacklogCounters(known=100, ended=40)}


def seen(
    books: dict[str, BacklogCounters], *, at_s: float = 0.0, is_idle: bool = False
) -> MonitorState:
    return remember(MonitorState(), books, at_s=at_s, is_idle=is_idle)


def test_time_to_drain_is_the_backlog_at_the_rate_of_the_last_looks() -> None:
    memory = seen({"orders": BacklogCounters(known=100, ended=10)}, at_s=0)
    # 30 ended in 60 s, 60 are left: 120 s.
    assert time_to_drain_s(memory.looks, OPEN, at_s=60) == 120
    assert time_to_drain_s(memory.looks, OPEN, at_s=60, label="orders") == 120


def test_nothing_to_drain_takes_no_time() -> None:
    assert time_to_drain_s([], {"orders": BacklogCounters(known=5, ended=5)}, at_s=60) == 0


def test_nobody_knows_when_a_standstill_ends() -> None:
    memory = seen(OPEN)
    assert time_to_drain_s(memory.looks, OPEN, at_s=60) is None
    assert time_to_drain_s([], OPEN, at_s=60) is None


def test_a_target_that_is_new_counts_from_zero() -> None:
    memory = seen({})
    assert time_to_drain_s(memory.looks, OPEN, at_s=40, label="orders") == 60


def test_books_are_off_when_nothing_moves_and_nothing_is_queued_at_two_looks() -> None:
    memory = seen(OPEN, is_idle=True)
    assert drifted(memory, OPEN, is_idle=True) == ["orders"]


def test_books_are_trusted_while_anything_moves_or_waits() -> None:
    idle = seen(OPEN, is_idle=True)
    assert drifted(idle, OPEN, is_idle=False) == []
    assert drifted(seen(OPEN, is_idle=False), OPEN, is_idle=True) == []
    assert drifted(idle, {"orders": BacklogCounters(known=101, ended=40)}, is_idle=True) == []
    assert drifted(MonitorState(), OPEN, is_idle=True) == []


@given(st.integers(1, 20))
def test_memory_has_a_bound(looks: int) -> None:
    memory = MonitorState()
    for number in range(looks):
        memory = remember(memory, OPEN, at_s=number, is_idle=False)
    assert len(memory.looks) == min(looks, KEPT_LOOKS)
    assert memory.looks[-1].at_s == looks - 1
