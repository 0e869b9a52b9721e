from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.instant import format_instant
from reprise.ledger import LedgerEvent, PastAttempt, PastEnd, State
from reprise_cli.story.parts import Arrival, Doings
from reprise_cli.story.story import tell
from strategies import NOW, make_row

if TYPE_CHECKING:
    from reprise.ledger import Row
    from reprise_cli.story.parts import Story

LATER = NOW + timedelta(hours=1)


def at(seconds: float) -> str:
    return format_instant(NOW + timedelta(seconds=seconds))


def attempt(seconds: float, kind: OutcomeKind, *, took_s: float | None = None) -> PastAttempt:
    began_at = None if took_s is None else at(seconds - took_s)
    outcome = Outcome(kind=kind, code="Boom", message="it broke")
    return PastAttempt(at=at(seconds), began_at=began_at, outcome=outcome)


def story_of(row: Row, arrival: Arrival | None = None) -> Story:
    return tell(row, arrival, "bucket", LATER)


def steps_of(row: Row, arrival: Arrival | None = None) -> list[tuple[str, str]]:
    return [(step.after, step.what) for step in story_of(row, arrival).steps]


def test_a_call_that_succeeded_tells_every_step_in_order() -> None:
    row = make_row(
        state=State.SUCCEEDED,
        unpacked_at=at(61),
        refusals=3,
        first_refused_at=at(62),
        last_refused_at=at(92),
        history=(
            attempt(95, OutcomeKind.FUNCTION_ERROR, took_s=2),
            attempt(130, OutcomeKind.SUCCEEDED, took_s=1),
        ),
        updated_at=at(130.5),
        result='{"ok":true}',
        capture_object="s3://bucket/captured/x.gz",
    )
    arrival = Arrival(url="s3://bucket/captured/x.gz", at=NOW + timedelta(seconds=60))
    assert steps_of(row, arrival) == [
        ("", "captured"),
        ("+1m0s", "in S3"),
        ("+1m1s", "unpacked"),
        ("+1m1s", "waited"),
        ("+1m2s", "refused"),
        ("+1m35s", "function error"),
        ("+1m35s", "waited"),
        ("+2m10s", "succeeded"),
        ("+2m10s", "ended well"),
    ]
    story = story_of(row, arrival)
    assert story.result == '{"ok":true}'
    how = {step.what: step.how for step in reversed(story.steps)}
    assert how["waited"] == "32.0s for its gate"
    assert how["unpacked"] == "entered in the ledger", "its message may wait in S3 for hours"
    assert how["refused"].startswith("3 times, the last time 30.0s later")
    assert how["function error"] == "Boom: it broke; took 2.0s"


def test_a_call_that_was_given_up_says_why_and_what_is_next() -> None:
    row = make_row(
        state=State.DEAD_LETTERED,
        history=(attempt(5, OutcomeKind.FUNCTION_ERROR),),
        reason="exhausted",
        message="3 attempts failed",
        letter_sent=True,
        updated_at=at(6),
    )
    story = story_of(row)
    last = story.steps[-1]
    assert (last.what, last.how, last.kind) == ("given up", "exhausted: 3 attempts failed", "bad")
    assert story.facts["next"] == f"reprise dlq show {row.id}"


def test_an_outcome_that_is_called_as_its_reason_is_named_once() -> None:
    row = make_row(
        state=State.DEAD_LETTERED,
        reason="permanent",
        message="permanent: AccessDeniedException",
        updated_at=at(6),
    )
    story = story_of(row)
    assert story.facts["given up"] == "permanent: AccessDeniedException"
    assert story.steps[-1].how.startswith("permanent: AccessDeniedException")


def test_a_letter_that_is_not_in_its_queue_yet_is_told() -> None:
    row = make_row(state=State.DEAD_LETTERED, reason="expired", updated_at=at(6))
    assert "not in the queue yet" in story_of(row).steps[-1].how


@pytest.mark.parametrize("state", [State.CAPTURED, State.WAITING])
def test_a_call_that_waits_says_for_how_long(state: State) -> None:
    last = story_of(make_row(state=state, updated_at=at(3000))).steps[-1]
    assert (last.what, last.after) == ("waiting", "+1h0m")
    assert last.how.startswith("for 10m0s")


def test_a_redriven_call_says_so_and_that_it_was_given_up_before() -> None:
    row = make_row(opened_at=at(500), state=State.LEASED, updated_at=at(501))
    assert steps_of(row) == [
        ("", "captured"),
        ("", "given up"),
        ("+8m20s", "redriven"),
        ("+8m21s", "being replayed"),
    ]


def test_the_time_in_the_dead_letter_queue_is_no_backoff() -> None:
    row = make_row(
        state=State.SUCCEEDED,
        unpacked_at=at(1),
        opened_at=at(500),
        history=(
            attempt(5, OutcomeKind.FUNCTION_ERROR, took_s=1),
            attempt(20, OutcomeKind.FUNCTION_ERROR, took_s=1),
            attempt(505, OutcomeKind.SUCCEEDED, took_s=2),
        ),
        updated_at=at(506),
    )
    story = story_of(row)
    assert [(step.after, step.what, step.kind) for step in story.steps] == [
        ("", "captured", "plain"),
        ("+1.0s", "unpacked", "plain"),
        ("+1.0s", "waited", "wait"),
        ("+5.0s", "function error", "wait"),
        ("+5.0s", "waited", "wait"),
        ("+20.0s", "function error", "bad"),
        ("", "given up", "bad"),
        ("+8m20s", "redriven", "wait"),
        ("+8m20s", "waited", "wait"),
        ("+8m25s", "succeeded", "good"),
        ("+8m26s", "ended well", "good"),
    ]
    how = [step.how for step in story.steps if step.what in {"waited", "given up"}]
    assert how == [
        "3.0s for its gate",
        "14.0s for its backoff, its gate, or an earlier redrive",
        "before its redrive; rows of earlier versions do not say when, or why",
        "3.0s for its gate",
    ]


def test_after_a_redrive_the_numbers_say_since_when_they_count() -> None:
    failed = tuple(attempt(second, OutcomeKind.FUNCTION_ERROR) for second in (1, 2, 3))
    redriven = make_row(opened_at=at(500), history=failed)
    assert story_of(redriven).facts["attempts"] == (
        "since its redrive: 0 executions failed, 0 refusals"
    )
    first = make_row(attempts=3, history=failed)
    assert story_of(first).facts["attempts"] == "3 executions failed, 0 refusals"


def test_a_call_that_was_captured_again_after_its_end_keeps_its_earlier_failures_apart() -> None:
    row = make_row(
        captured_at=at(500),
        opened_at=at(500),
        unpacked_at=at(560),
        attempts=1,
        history=(
            attempt(5, OutcomeKind.FUNCTION_ERROR, took_s=1),
            attempt(20, OutcomeKind.FUNCTION_ERROR, took_s=1),
            attempt(570, OutcomeKind.FUNCTION_ERROR, took_s=2),
        ),
        state=State.WAITING,
        updated_at=at(571),
    )
    story = story_of(row)
    assert story.facts["attempts"] == "since it was captured again: 1 execution failed, 0 refusals"
    assert [(step.what, step.after) for step in story.steps if step.what != "waited"] == [
        ("function error", ""),
        ("function error", ""),
        ("captured again", ""),
        ("unpacked", "+1m0s"),
        ("function error", "+1m10s"),
        ("waiting", "+51m40s"),
    ]
    waits = [step.how for step in story.steps if step.what == "waited"]
    assert waits == [
        "14.0s for its backoff, its gate, or until it was captured again",
        "9m8s for its backoff, its gate, or until it was captured again",
    ]


def test_rows_of_earlier_versions_leave_out_what_they_do_not_know() -> None:
    row = make_row(state=State.SUCCEEDED, refusals=2, updated_at=at(9))
    arrival = Arrival(url="s3://bucket/gone", at=None)
    assert [what for _, what in steps_of(row, arrival)] == ["captured", "ended well"]


@given(
    seconds=st.lists(st.floats(0, 1e5), max_size=5),
    state=st.sampled_from(State),
    refusals=st.integers(0, 3),
    opened_s=st.floats(0, 1e5),
    captured_s=st.floats(0, 1e5),
)
def test_every_story_is_in_order_and_as_json(
    seconds: list[float], state: State, refusals: int, opened_s: float, captured_s: float
) -> None:
    row = make_row(
        state=state,
        captured_at=at(captured_s),
        opened_at=at(captured_s + opened_s),
        refusals=refusals,
        first_refused_at=at(1),
        last_refused_at=at(2),
        history=tuple(attempt(each, OutcomeKind.UNKNOWN) for each in sorted(seconds)),
    )
    document = story_of(row).document()
    times = [step["at"] for step in document["steps"] if step["at"]]
    assert times == sorted(times)
    assert ("given up" in {step["what"] for step in document["steps"] if not step["at"]}) == (
        row.opened_at != row.captured_at
    )
    assert document["payload"] is None


def test_a_live_call_with_the_key_of_a_captured_one_is_told_as_what_it_was() -> None:
    row = make_row(state=State.SUCCEEDED, lease_owner="live/1", unpacked_at=None)
    first, *_ = tell(row, None, "bucket", NOW).steps
    assert (first.what, first.how) == ("called again", "live, by a captured call's key")
    replayed = make_row(state=State.SUCCEEDED, lease_owner="request/1")
    first, *_ = tell(replayed, None, "bucket", NOW).steps
    assert first.what == "captured"


def test_every_death_is_told_with_its_reason_and_who_undid_it() -> None:
    first, second = (
        PastEnd(
            opened_at=at(opened),
            ended_at=at(ended),
            reason="exhausted",
            message=f"death {opened}",
            attempts=3,
            undone_by=LedgerEvent.REDRIVE,
        )
        for opened, ended in ((0, 60), (500, 560))
    )
    row = make_row(
        state=State.DEAD_LETTERED,
        captured_at=at(0),
        opened_at=at(900),
        updated_at=at(960),
        reason="permanent",
        message="death 900",
        letter_sent=True,
        ends=(first, second),
    )
    done = Doings(redrivers={at(500): "anna, by job 1,"}, captured_for="throttled; by invoker")
    told = [(step.what, step.how) for step in tell(row, None, "bucket", NOW, done).steps]
    assert told == [
        ("captured", "throttled; by invoker"),
        ("given up", "exhausted: death 0; 3 executions failed, 0 refusals"),
        ("redriven", "anna, by job 1, opened it again"),
        ("given up", "exhausted: death 500; 3 executions failed, 0 refusals"),
        ("redriven", "an operator opened it again"),
        ("given up", "permanent: death 900"),
    ]


def test_a_call_that_was_captured_again_tells_its_former_end() -> None:
    end = PastEnd(
        opened_at=at(0), ended_at=at(60), reason="expired", undone_by=LedgerEvent.RECAPTURE
    )
    row = make_row(captured_at=at(100), opened_at=at(100), updated_at=at(100), ends=(end,))
    what = [step.what for step in tell(row, None, "bucket", LATER).steps]
    assert what == ["captured", "given up", "captured again", "waiting"]
