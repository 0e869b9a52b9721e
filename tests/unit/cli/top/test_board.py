from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.state import GateState, HeldFor, Mode
from reprise.monitor.counters import BacklogCounters
from reprise_cli.gate_view import Gate, gate_of
from reprise_cli.output import PlainConsole
from reprise_cli.policy.pauses import Pause, PolicyState
from reprise_cli.top.board import AgedNumber, Line, Look, lines, picture, short, what_is_wrong

EMPTY = Look(at_s=0.0, books={}, gates={}, oldest_s={})
SEEN = AgedNumber(value=33.0, ago_s=10.0)


def test_backlog_rate_and_time_to_go_come_from_two_looks() -> None:
    before = replace(EMPTY, books={"orders": BacklogCounters(known=100, ended=20)})
    now = replace(
        EMPTY,
        at_s=2.0,
        books={"orders": BacklogCounters(known=110, ended=40)},
        oldest_s={"orders": SEEN},
    )
    (line,) = lines(now, before)
    assert (line.backlog, line.rate_per_s, line.eta_s, line.oldest) == (70, 10.0, 7.0, SEEN)


def test_time_to_go_is_what_the_observer_reckons_where_it_has_looked() -> None:
    now = replace(
        EMPTY,
        at_s=2.0,
        books={"orders": BacklogCounters(known=110, ended=40)},
        drain_s={"orders": 90.0},
    )
    (line,) = lines(now, EMPTY)
    assert line.eta_s == 90.0


@pytest.mark.parametrize(
    "stopped",
    [
        {"policy": PolicyState(pauses={"orders": Pause()})},
        {"gates": {"orders": Gate(mode="holding", held_s=41.7)}},
    ],
    ids=["paused", "holding"],
)
def test_nobody_reckons_when_a_target_is_done_that_nothing_goes_to(stopped: dict[str, Any]) -> None:
    before = replace(EMPTY, books={"orders": BacklogCounters(known=9, ended=2)})
    now = replace(
        EMPTY,
        at_s=2.0,
        books={"orders": BacklogCounters(known=9, ended=5)},
        drain_s={"orders": 90.0},
        **stopped,
    )
    (line,) = lines(now, before)
    assert (line.eta_s, line.document()["eta_s"]) == (None, None)


def test_without_a_look_before_nobody_guesses_a_rate() -> None:
    (line,) = lines(replace(EMPTY, books={"orders": BacklogCounters(known=1)}), None)
    assert (line.rate_per_s, line.eta_s) == (None, None)


def test_where_nothing_waits_nothing_is_old() -> None:
    now = replace(
        EMPTY, books={"orders": BacklogCounters(known=3, ended=3)}, oldest_s={"orders": SEEN}
    )
    (line,) = lines(now, EMPTY)
    assert (line.oldest, line.eta_s) == (None, 0.0)


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
    shown = picture(found, "targets")
    assert [column.cells[0] for column in shown.columns if column.name == "target"] == ["b"]


LOOKS = {
    "orders-fulfilment-eu": (123_456, Gate(mode="flowing", window=3.47776)),
    "payments-capture": (2_310, Gate(mode="holding", held_s=12_345.0)),
    "o": (3, Gate(mode="flowing", window=1234.5678)),
}


def shown(width: int) -> list[str]:
    books = {
        name: BacklogCounters(known=known, dead={"expired": 12})
        for name, (known, _) in LOOKS.items()
    }
    gates = {name: gate for name, (_, gate) in LOOKS.items()}
    before = replace(
        EMPTY,
        books=books,
        gates=gates,
        oldest_s=dict.fromkeys(books, AgedNumber(value=33_333.0, ago_s=0.0)),
    )
    books = {name: replace(book, ended=32) for name, book in books.items()}
    found = lines(replace(before, at_s=2.0, books=books), before)
    file = io.StringIO()
    console = PlainConsole(file)
    console.width = width
    console.print(picture(found, "targets of reprise"))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_target_keeps_its_name_and_numbers_are_short(width: int) -> None:
    told = shown(width)
    assert all(len(line) <= width for line in told)
    starts = [line.split()[0] for line in told if line.startswith(tuple(LOOKS))]
    assert starts == list(LOOKS)
    text = "\n".join(told)
    assert ("holding" in text, "3h25m" in text) == (True, True)
    assert "123k" in text
    assert "3.47776" not in text
    for name in ("window", "given up"):
        assert (name in told[1]) == (width > 60)


def test_it_says_since_when_calls_given_up_are_counted() -> None:
    assert "since the stack was made" in " ".join(shown(80))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (3.47776, "3.5"),
        (9.96, "10"),
        (16.0, "16"),
        (1234.5678, "1,235"),
        (99_999, "99,999"),
        (123_456, "123k"),
        (1_234_567, "1.2M"),
        (12_345_678, "12M"),
    ],
)
def test_a_number_is_short(number: float, text: str) -> None:
    assert short(number) == text


@given(mode=st.sampled_from(Mode), since_ms=st.integers(0, 10**6), now_ms=st.integers(0, 10**6))
def test_only_a_gate_that_holds_has_held(mode: Mode, since_ms: int, now_ms: int) -> None:
    gate = gate_of(GateState(mode=mode, holding_since_ms=since_ms), now_ms)
    assert gate.mode == mode.value
    assert gate.held_s >= 0
    if mode is Mode.FLOWING:
        assert gate.held_s == 0


def line(gate: Gate, **changes: object) -> Line:
    return replace(
        Line(target="orders", gate=gate, backlog=5, rate_per_s=None, oldest=None, dead=0),
        **changes,  # type: ignore[arg-type] # fields of Line
    )


def test_a_number_that_was_measured_long_ago_says_how_long() -> None:
    old = line(Gate(mode="flowing"), oldest=AgedNumber(value=170.0, ago_s=240.0))
    cells = {column.name: column.cells for column in picture([old], "targets").columns}
    assert cells["oldest"] == ("2m50s, 4m0s ago",)
    assert old.document()["oldest_measured_ago_s"] == 240.0


@pytest.mark.parametrize("held_for", HeldFor)
def test_a_hold_is_told_with_its_age_and_its_reason(held_for: HeldFor) -> None:
    gate = gate_of(GateState(mode=Mode.HOLDING, held_for=held_for, holding_since_ms=1), 180_001)
    (told,) = what_is_wrong([line(gate)], EMPTY)
    assert told.startswith("orders has held for 3m0s: ")


def test_a_hold_for_failures_names_where_those_are_that_were_given_up_and_those_that_wait() -> None:
    (told,) = what_is_wrong([line(Gate(mode="holding", held_s=9.0, held_for="fault"))], EMPTY)
    assert "`reprise dlq list --target orders`" in told
    assert "`reprise calls list --target orders`" in told


def test_a_hold_for_throttles_claims_nothing_of_live_calls() -> None:
    (told,) = what_is_wrong([line(Gate(mode="holding", held_s=9.0, held_for="throttle"))], EMPTY)
    assert "its replays are throttled" in told


def test_a_pause_is_told_as_a_pause_and_not_as_a_hold() -> None:
    policy = PolicyState(pauses={"orders": Pause(by="anna", why="release")})
    paused = line(Gate(mode="holding", held_s=9.0), pause=policy.pauses["orders"])
    told = what_is_wrong([paused], replace(EMPTY, policy=policy, dead_letters=2))
    assert told == ["2 dead letters: `reprise dlq list`", "orders is paused by anna: release"]


def test_where_all_is_well_nothing_is_wrong() -> None:
    assert what_is_wrong([line(Gate(mode="flowing"))], replace(EMPTY, dead_letters=0)) == []
