from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.chaos import checker
from reprise_cli.chaos.checker import CheckResult, HistoryError, check, main

if TYPE_CHECKING:
    from collections.abc import Callable

type Event = dict[str, Any]

BOUND_S = 60.0
HEALED_S = 20.0


def event(name: str, at_s: float, /, **fields: object) -> Event:
    return {"event": name, "at_s": at_s, **fields}


@dataclass(frozen=True, kw_only=True)
class Life:
    """What one call goes through, and everybody truly tells."""

    fails: bool = False
    kind: str = "captured"
    """How it is answered."""
    is_unknown: bool = False
    """Captured, and given up since nobody learnt whether it ran."""
    failures: int = 0
    """Executions that fail."""
    runs: bool = True
    """Where the outcome is not told: whether it ran."""
    answered_s: float = 1.0
    ended_s: float = 30.0

    def events(self, number: int) -> list[Event]:
        call_id = f"id-{number}"
        told = {"id": call_id} if self.kind == "captured" else {}
        events = [
            event("call", 0.0, call=number, **({"fails": True} if self.fails else {})),
            event("answer", self.answered_s, call=number, kind=self.kind, **told),
        ]
        events += [event("execution", 50.0, call=number, ok=False)] * self.failures
        if self.is_success:
            events.append(event("execution", 50.0, call=number, ok=True))
        if self.kind != "captured":
            return events
        events.append(event("capture", 10.0, id=call_id))
        if self.fails or self.is_unknown:
            reason = "unknown" if self.is_unknown else "exhausted"
            events.append(
                event("end", self.ended_s, id=call_id, state="dead_lettered", reason=reason)
            )
            events.append(event("letter", 50.0, id=call_id))
        else:
            events.append(event("end", self.ended_s, id=call_id, state="succeeded"))
        return events

    @property
    def is_success(self) -> bool:
        if self.fails or self.kind == "refused":
            return False
        return self.runs if self.kind == "failed" or self.is_unknown else True


def history(*lives: Life, calls: int | None = None) -> list[Event]:
    count = len(lives) if calls is None else calls
    begin = event("begin", 0.0, history=1, run="chaos-1", calls=count, bound_s=BOUND_S)
    return [
        begin,
        event("fault", 1.0, name="kill", what="1 of reprise-invoker"),
        event("fault", 9.0, name="kill", what="is over", hits=3),
        *(found for number, life in enumerate(lives, 1) for found in life.events(number)),
        event("healed", HEALED_S),
        event("done", 200.0),
    ]


def result_of(events: list[Event]) -> CheckResult:
    return check(json.dumps(found) for found in events)


def counts(result: CheckResult) -> tuple[int, ...]:
    """Lost, twice, fake, late and contradictions."""
    parts = (result.lost, result.twice, result.fake, result.late, result.contradictions)
    return tuple(map(len, parts))


GOOD = (
    Life(),
    Life(kind="direct", answered_s=2.0),
    Life(kind="refused"),
    Life(kind="failed", runs=False),
    Life(kind="failed"),
    Life(fails=True, failures=3),
    Life(fails=True, kind="direct", failures=1),
    Life(is_unknown=True),
    Life(is_unknown=True, runs=False, failures=1),
)


def test_a_history_of_truths_holds() -> None:
    result = result_of(history(*GOOD))
    assert result.holds
    assert result.document() == {
        "run": "chaos-1",
        "calls": 9,
        "answers": {"captured": 4, "direct": 2, "failed": 2, "refused": 1},
        "ends": {"dead_lettered: exhausted": 1, "dead_lettered: unknown": 2, "succeeded": 1},
        "faults": {"kill": 3},
        "lost": 0,
        "executed_twice": 0,
        "fake_successes": 0,
        "waited_too_long": 0,
        "contradictions": 0,
        "slowest_end_s": 10.0,
    }


def without(events: list[Event], name: str, number: int = 1) -> list[Event]:
    named = {"call": number, "id": f"id-{number}"}
    return [
        found
        for found in events
        if found["event"] != name
        or not any(found.get(key) == value for key, value in named.items())
    ]


EXTRA_END = event("end", 40.0, id="id-1", state="dead_lettered", reason="exhausted")
LETTER = event("letter", 50.0, id="id-1")


@pytest.mark.parametrize(
    ("events", "found", "said"),
    [
        (
            without(history(Life()), "end"),
            (1, 0, 0, 0, 0),
            "call 1, id-1, was captured, and has no",
        ),
        (
            without(history(Life(fails=True)), "letter"),
            (1, 0, 0, 0, 0),
            "call 1, id-1, was given up, and its letter is nowhere",
        ),
        (
            [*history(Life()), event("execution", 60.0, call=1, ok=True)],
            (0, 1, 0, 0, 0),
            "call 1 ran well 2 times",
        ),
        (
            [*history(Life(kind="failed")), event("execution", 60.0, call=1, ok=True)],
            (0, 1, 0, 0, 0),
            "call 1 ran well 2 times",
        ),
        (
            without(history(Life(kind="direct")), "execution"),
            (0, 0, 1, 0, 0),
            "call 1 was answered, and did not run",
        ),
        (
            without(history(Life(fails=True, kind="direct", failures=1)), "execution"),
            (0, 0, 1, 0, 0),
            "call 1 was answered, and did not run",
        ),
        (
            without(history(Life()), "execution"),
            (0, 0, 1, 0, 0),
            "call 1, id-1, is said to have succeeded, and did not run well",
        ),
        (
            [*history(Life(kind="refused")), event("execution", 60.0, call=1, ok=True)],
            (0, 0, 1, 0, 0),
            "call 1 was refused, and ran all the same",
        ),
        (
            history(Life(ended_s=HEALED_S + BOUND_S + 1)),
            (0, 0, 0, 1, 0),
            "call 1, id-1, ended 61 s after everything was well again",
        ),
        (
            history(Life(kind="direct", answered_s=BOUND_S + 1)),
            (0, 0, 0, 1, 0),
            "call 1 was answered after 61 s",
        ),
        ([*history(Life()), LETTER], (0, 0, 0, 0, 1), "call 1, id-1, succeeded, and was given up"),
        (
            [*history(Life()), EXTRA_END, LETTER],
            (0, 0, 0, 0, 2),
            "call 1, id-1, ran well, and was given up: exhausted",
        ),
        (history(Life(), calls=2), (0, 0, 0, 0, 1), "1 of 2 calls were made"),
        (
            without(history(Life(kind="direct")), "answer"),
            (0, 0, 0, 0, 1),
            "call 1 was made 1 times, and answered 0 times",
        ),
        (
            [*history(Life()), event("execution", 60.0, call=7, ok=True)],
            (0, 0, 0, 0, 1),
            "call 7 was made 0 times, and answered 0 times",
        ),
        (
            [*history(Life()), event("end", 60.0, id="id-9", state="succeeded")],
            (0, 0, 0, 0, 1),
            "id-9 ended, and nobody was told of it",
        ),
    ],
    ids=[
        "captured without an end",
        "given up without a letter",
        "replayed twice",
        "ran twice and told of neither",
        "answered without an execution",
        "a failure without an execution",
        "succeeded without an execution",
        "refused and ran",
        "ended late",
        "answered late",
        "succeeded with a letter",
        "two ends",
        "a call that was not made",
        "a call without an answer",
        "an execution of a stranger",
        "an end of a stranger",
    ],
)
def test_each_violation_is_named(events: list[Event], found: tuple[int, ...], said: str) -> None:
    result = result_of(events)
    assert counts(result) == found
    assert not result.holds
    assert any(said in line for line in result.document()["findings"])


def test_two_calls_that_share_an_id_are_found() -> None:
    events = [
        {**found, "id": "id-1"} if found.get("id") == "id-2" else found
        for found in history(Life(), Life())
    ]
    assert "2 calls share the id id-1" in result_of(events).contradictions


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "0 events 'begin'"),
        (history(Life())[:-1], "0 events 'done'"),
        (history(Life())[1:], "0 events 'begin'"),
        ([*history(Life()), event("healed", 90.0)], "2 events 'healed'"),
        ([{**history(Life())[0], "history": 2}, *history(Life())[1:]], "version 2"),
        ([*history(Life()), {"event": "call"}], r"line \d+ is no event"),
        ([*history(Life()), event("answer", 1.0, call=1, kind="maybe")], r"line \d+ is no event"),
    ],
    ids=["empty", "cut off", "headless", "healed twice", "other version", "no time", "no kind"],
)
def test_what_is_no_whole_history_proves_nothing(events: list[Event], said: str) -> None:
    with pytest.raises(HistoryError, match=said):
        result_of(events)


def test_a_line_that_was_cut_off_is_no_event() -> None:
    lines = [json.dumps(found) for found in history(Life())]
    with pytest.raises(HistoryError, match=r"line \d+"):
        check([*lines[:-1], lines[-1][:-4]])


# --- histories drawn at random ---


def lives() -> st.SearchStrategy[Life]:
    def fitted(life: Life) -> Life:
        is_unknown = life.is_unknown and life.kind == "captured" and not life.fails
        return replace(life, is_unknown=is_unknown, failures=int(life.fails))

    return st.builds(
        Life,
        fails=st.booleans(),
        kind=st.sampled_from(["captured", "direct", "failed"]),
        is_unknown=st.booleans(),
        runs=st.booleans(),
        answered_s=st.floats(0, BOUND_S),
        ended_s=st.floats(BOUND_S, HEALED_S + BOUND_S),
    ).map(fitted)


def drop_end(victim: int, events: list[Event]) -> tuple[list[Event], str]:
    return without(events, "end", victim), "lost"


def repeat_execution(victim: int, events: list[Event]) -> tuple[list[Event], str]:
    return [*events, event("execution", 70.0, call=victim, ok=True)], "executed_twice"


def claim_success(victim: int, events: list[Event]) -> tuple[list[Event], str]:
    """Answer success without an execution."""
    return without(events, "execution", victim), "fake_successes"


def delay_end(victim: int, events: list[Event]) -> tuple[list[Event], str]:
    return [
        {**found, "at_s": found["at_s"] + 2 * BOUND_S}
        if found["event"] == "end" and found["id"] == f"id-{victim}"
        else found
        for found in events
    ], "waited_too_long"


@given(st.lists(lives(), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_a_valid_history_holds_in_any_order(drawn: list[Life], chance: Any) -> None:
    events = history(*drawn)
    chance.shuffle(events)
    assert result_of(events).holds


@given(
    st.lists(lives(), max_size=30),
    st.lists(lives(), max_size=30),
    st.sampled_from([drop_end, repeat_execution, claim_success, delay_end]),
    st.randoms(use_true_random=False),
)
def test_a_mutation_anywhere_is_caught(
    before: list[Life],
    after: list[Life],
    mutate: Callable[[int, list[Event]], tuple[list[Event], str]],
    chance: Any,
) -> None:
    events = history(*before, Life(), *after)
    mutated, kind = mutate(len(before) + 1, events)
    chance.shuffle(mutated)
    document = result_of(mutated).document()
    assert document[kind] == 1
    assert any(f"call {len(before) + 1}" in line for line in document["findings"])


# --- the program ---


def test_the_checker_imports_nothing_of_this_project() -> None:
    tree = ast.parse(Path(checker.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        name.partition(".")[0]
        for node in imports
        for name in (
            [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize(("events", "code"), [(history(Life()), 0), (history(Life(), calls=2), 1)])
def test_the_program_tells_by_its_exit_code(
    events: list[Event], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("".join(f"{json.dumps(found)}\n" for found in events))
    assert main(str(path)) == code
    assert json.loads(capsys.readouterr().out)["run"] == "chaos-1"
