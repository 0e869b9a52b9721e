from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.target import Target
from reprise.instant import format_instant
from reprise.ledger import TERMINAL, State
from reprise_cli.exits import UsageError
from reprise_cli.replay.job import CALLS, filters_of, find_target, into_of, window_of
from reprise_cli.replay.window import States, Step, Window, again_id, decide, first_life
from strategies import ARN_PREFIX, NOW, ORDERS, instants, make_record, make_row

HOUR = timedelta(hours=1)
WINDOW = Window(begin_at=NOW - HOUR, end_at=NOW + HOUR)
ELSEWHERE = Target(function=f"{ARN_PREFIX}orders-next")


def of(states: States, into: Target | None = None) -> Window:
    return Window(begin_at=NOW - HOUR, end_at=NOW + HOUR, states=states, into=into)


@pytest.mark.parametrize(
    ("states", "state", "step"),
    [
        (States.MISSING, None, Step.TAKE_IN),
        (States.MISSING, State.DEAD_LETTERED, Step.LEAVE),
        (States.MISSING, State.SUCCEEDED, Step.LEAVE),
        (States.ENDED, None, Step.LEAVE),
        (States.ENDED, State.DEAD_LETTERED, Step.REOPEN),
        (States.ENDED, State.SUCCEEDED, Step.AGAIN),
        (States.ALL, None, Step.TAKE_IN),
        (States.ALL, State.DEAD_LETTERED, Step.REOPEN),
        (States.ALL, State.SUCCEEDED, Step.AGAIN),
        *(
            (states, state, Step.LEAVE)
            for states in States
            for state in State
            if state not in TERMINAL
        ),
    ],
)
def test_what_becomes_of_a_call_follows_from_its_state_and_what_was_asked_for(
    states: States, state: State | None, step: Step
) -> None:
    row = None if state is None else make_row(state=state)
    assert decide(make_record(), row, of(states), NOW).step is step


@given(state=st.none() | st.sampled_from(State), states=st.sampled_from(States))
def test_into_another_target_whatever_is_meant_goes_as_a_new_call(
    state: State | None, states: States
) -> None:
    row = None if state is None else make_row(state=state)
    step = decide(make_record(), row, of(states, ELSEWHERE), NOW).step
    assert step in {Step.AGAIN, Step.LEAVE}
    assert step is Step.AGAIN or states is not States.ALL


@given(
    state=st.sampled_from(sorted(TERMINAL)),
    ended_at=instants,
    begin=st.none() | instants,
    end=st.none() | instants,
    into=st.none() | st.just(ELSEWHERE),
)
def test_only_calls_that_ended_when_it_was_asked_for_run_again(
    state: State,
    ended_at: datetime,
    begin: datetime | None,
    end: datetime | None,
    into: Target | None,
) -> None:
    window = replace(of(States.ENDED, into), ended_from=begin, ended_to=end)
    row = make_row(state=state, updated_at=format_instant(ended_at))
    is_meant = (begin is None or begin <= ended_at) and (end is None or ended_at < end)
    told = decide(make_record(), row, window, NOW)
    assert (told.step is not Step.LEAVE) is is_meant


@pytest.mark.parametrize("into", [None, ELSEWHERE])
def test_a_call_that_a_job_has_run_again_is_left(into: Target | None) -> None:
    record, row = make_record(), make_row(state=State.SUCCEEDED)
    window = replace(of(States.ENDED, into), run_again={record.id: "some job"})
    told = decide(record, row, window, NOW)
    assert (told.step, told.why) == (Step.LEAVE, "some job has it")


def test_a_call_that_was_given_up_is_opened_whatever_job_had_it() -> None:
    record, row = make_record(), make_row(state=State.DEAD_LETTERED)
    window = replace(of(States.ENDED), run_again={record.id: "job"})
    assert decide(record, row, window, NOW).step is Step.REOPEN


@given(state=st.sampled_from(State), states=st.sampled_from(States))
def test_a_call_that_is_not_the_ledgers_is_never_replayed(state: State, states: States) -> None:
    other = make_row(state=state, sha256="0" * 64)
    assert decide(make_record(), other, of(states), NOW).step is Step.REFUSE


def test_a_call_that_its_caller_has_no_use_of_any_more_is_not_replayed() -> None:
    record = make_record(not_after=format_instant(NOW))
    told = decide(record, None, of(States.ALL), NOW)
    assert (told.step, "NotAfter" in told.why) == (Step.REFUSE, True)


@given(begin=instants, length=st.timedeltas(timedelta(seconds=1), timedelta(days=9)), at=instants)
def test_a_call_of_the_window_lies_between_its_first_key_and_its_end_key(
    begin: object, length: timedelta, at: object
) -> None:
    window = Window(begin_at=begin, end_at=begin + length)  # type: ignore[arg-type, operator]
    record = make_record(captured_at=format_instant(at))  # type: ignore[arg-type]
    if not window.holds(record):
        return
    for late in (timedelta(), timedelta(hours=24)):
        key = f"captured/{at + late:%Y/%m/%d/%H}/x"  # type: ignore[operator]
        assert window.first_key < key < window.end_key


@pytest.mark.parametrize(
    ("target", "is_held"), [(None, True), ("orders", True), (ORDERS, True), ("mail", False)]
)
def test_a_window_may_be_of_one_target(target: str | None, is_held: bool) -> None:
    window = Window(begin_at=NOW, end_at=NOW + HOUR, target=target)
    assert window.holds(make_record()) is is_held


def test_a_window_does_not_hold_its_end() -> None:
    assert not Window(begin_at=NOW - HOUR, end_at=NOW).holds(make_record())


@given(call_id=st.text(min_size=1))
def test_the_id_of_a_next_life_tells_the_first_and_the_job(call_id: str) -> None:
    job_id = "20261121T100000Z-0a0b0c"
    assert first_life(again_id(call_id, job_id)) == (call_id, job_id)


@pytest.mark.parametrize(
    "call_id", ["orders:a~b", "~20261121T100000Z-0a0b0c", "x~20261121T100000Z-", ""]
)
def test_other_ids_are_no_next_life(call_id: str) -> None:
    assert first_life(call_id) is None


@given(
    begin=instants,
    end=instants,
    target=st.none() | st.just("orders"),
    states=st.sampled_from(States),
    into=st.sampled_from((None, ELSEWHERE, Target(function=ORDERS, qualifier="live"))),
    ended=st.tuples(st.none() | instants, st.none() | instants),
)
def test_a_job_remembers_its_window(
    begin: object,
    end: object,
    target: str | None,
    states: States,
    into: Target | None,
    ended: tuple[datetime | None, datetime | None],
) -> None:
    window = Window(
        begin_at=begin,  # type: ignore[arg-type]
        end_at=end,  # type: ignore[arg-type]
        target=target,
        states=states,
        into=into,
        ended_from=ended[0],
        ended_to=ended[1],
    )
    assert window_of(filters_of(window)) == window


def test_another_target_is_found_by_its_name_or_its_arn() -> None:
    allowed = [ORDERS, ELSEWHERE.function, f"{ARN_PREFIX}mail-*"]
    assert find_target("orders-next", allowed) == ELSEWHERE
    mail = f"{ARN_PREFIX}mail-eu"
    assert find_target(mail, allowed) == Target(function=mail)
    live = Target(function=ORDERS, qualifier="live")
    assert find_target("orders:live", allowed) == find_target(f"{ORDERS}:live", allowed) == live


def test_a_name_that_two_targets_have_is_refused() -> None:
    other = ORDERS.replace("eu-west-1", "us-east-1")
    with pytest.raises(UsageError, match="several"):
        find_target("orders", [ORDERS, other])
    assert find_target(other, [ORDERS, other]) == Target(function=other)


@given(names=st.sets(st.sampled_from("abc"), min_size=1), qualifier=st.none() | st.just("live"))
def test_a_job_of_named_calls_remembers_where_they_go_and_holds_no_other(
    names: set[str], qualifier: str | None
) -> None:
    into = Target(function=ORDERS, qualifier=qualifier)
    window = Window(begin_at=NOW, end_at=NOW + HOUR, ids=frozenset(names), into=into)
    filters = filters_of(window)
    assert (filters[CALLS], into_of(filters)) == (", ".join(sorted(names)), into)
    assert {name for name in "abc" if window.holds(make_record(id=name))} == names


@pytest.mark.parametrize("text", ["nobody", "", f"{ARN_PREFIX}strangers", "orders:a:b"])
def test_what_the_stack_may_not_call_is_no_other_target(text: str) -> None:
    with pytest.raises(UsageError, match="--into"):
        find_target(text, [ORDERS])
