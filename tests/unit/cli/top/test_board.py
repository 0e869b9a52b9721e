from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.state import GateState, Mode
from reprise.monitor.counters import BacklogCounters
from reprise_cli.top.board import Gate, Look, lines, picture
from reprise_cli.top.watch import gate_of

EMPTY = Look(at_s=0.0, books={}, gates={}, oldest_s={})


def test_backlog_rate_and_time_to_go_come_from_two_looks() -> None:
    before = replace(EMPTY, books={"orders": BacklogCounters(known=100, ended=20)})
    now = replace(
        EMPTY,
        at_s=2.0,
        books={"orders": BacklogCounters(known=110, ended=40)},
        oldest_s={"orders": 33.0},
    )
    (line,) = lines(now, before)
    assert (line.backlog, line.rate_per_s, line.eta_s, line.oldest_s) == (70, 10.0, 7.0, 33.0)


def test_without_a_look_before_nobody_guesses_a_rate() -> None:
    (line,) = lines(replace(EMPTY, books={"orders": BacklogCounters(known=1)}), None)
    assert (line.rate_per_s, line.eta_s) == (None, None)


def test_where_nothing_waits_nothing_is_old() -> None:
    now = replace(
        EMPTY, books={"orders": BacklogCounters(known=3, ended=3)}, oldest_s={"orders": 33.0}
    )
    (line,) = lines(now, EMPTY)
    assert (line.oldest_s, line.eta_s) == (None, 0.0)


def test_a_target_without_calls_shows_its_gate() -> None:
    (line,) = lines(replace(EMPTY, gates={"orders": Gate(mode="flowing")}), None)
    assert line.document()["state"] == "flowing"
    assert line.document()["backlog"] == 0


def test_the_longest_backlog_comes_first_and_all_fit_a_table() -> None:
    books = {
        "a": BacklogCounters(known=1),
        "b": BacklogCounters(known=5, dead={"expired": 2}),
        "c": BacklogCounters(known=5),
    }
    gates = {"b": Gate(mode="holding", window=0.0, held_s=12.0)}
    found = lines(replace(EMPTY, books=books, gates=gates), None)
    assert [line.target for line in found] == ["b", "c", "a"]
    assert picture(found, "targets").row_count == 3


@given(mode=st.sampled_from(Mode), since_ms=st.integers(0, 10**6), now_ms=st.integers(0, 10**6))
def test_only_a_gate_that_holds_has_held(mode: Mode, since_ms: int, now_ms: int) -> None:
    gate = gate_of(GateState(mode=mode, holding_since_ms=since_ms), now_ms)
    assert gate.mode == mode.value
    assert gate.held_s >= 0
    if mode is Mode.FLOWING:
        assert gate.held_s == 0
