from __future__ import annotations

from itertools import product

import pytest

from reprise import ledger as states
from reprise.errors import IllegalTransitionError
from reprise.ledger import TERMINAL, TRANSITIONS, LedgerEvent, State, result, sources, transition


@pytest.mark.parametrize(("state", "event"), list(product(State, LedgerEvent)))
def test_an_event_happens_where_the_table_says_so_and_nowhere_else(
    state: State, event: LedgerEvent
) -> None:
    if (state, event) in TRANSITIONS:
        assert transition(TRANSITIONS, state, event) is TRANSITIONS[state, event]
        assert state in sources(event)
    else:
        assert state not in sources(event)
        with pytest.raises(IllegalTransitionError, match=f"^what is {state} cannot {event}$"):
            transition(TRANSITIONS, state, event)


def test_every_state_is_reached_from_captured() -> None:
    reached = {State.CAPTURED}
    for _ in State:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(State)


def test_every_open_state_can_still_end() -> None:
    ends = set(TERMINAL)
    for _ in State:
        ends |= {before for (before, _), after in TRANSITIONS.items() if after in ends}
    assert ends == set(State)


def test_success_is_for_ever_and_only_an_operator_or_a_later_call_of_its_key_opens_a_dead_letter() -> (
    None
):
    leaving = {event for (before, event) in TRANSITIONS if before in TERMINAL}
    assert leaving == {LedgerEvent.REDRIVE, LedgerEvent.RECAPTURE, LedgerEvent.ANSWER}
    assert not any(before is State.SUCCEEDED for before, _ in TRANSITIONS)


def test_only_a_lease_leads_to_an_invocation() -> None:
    into = {event for (_, event), after in TRANSITIONS.items() if after is State.LEASED}
    assert into == {LedgerEvent.LEASE, LedgerEvent.TAKE_OVER}


@pytest.mark.parametrize("event", list(LedgerEvent))
def test_an_event_leads_to_one_state_wherever_it_happens(event: LedgerEvent) -> None:
    assert {result(event)} == {after for (_, e), after in TRANSITIONS.items() if e is event}


@pytest.mark.parametrize(
    "table",
    [
        {},
        {
            (State.CAPTURED, LedgerEvent.LEASE): State.LEASED,
            (State.LEASED, LedgerEvent.LEASE): State.WAITING,
        },
    ],
)
def test_a_table_that_leaves_an_event_open_is_an_error(
    table: dict[tuple[State, LedgerEvent], State], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "TRANSITIONS", table)
    with pytest.raises(IllegalTransitionError, match=f"^lease leads to {len(table)} states$"):
        result(LedgerEvent.LEASE)
