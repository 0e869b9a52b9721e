"""The life of a call as a table from (state, event) to state; a missing key is the error.

    captured ──lease──▶ leased ──succeed──▶ succeeded
        ▲                │  ▲ └──dead_letter──▶ dead_lettered ──redrive, recapture──▶ captured
        │              wait lease
        └ redrive,       ▼  │
          recapture    waiting

A lease of a dead owner may be taken over once it has run out: (leased, take_over) is leased again.

A live call whose key may be that of a captured one begins its row as leased, if there is none; if it does not
succeed the row goes again, as if it had not been. A call that nobody works on is answered by a live call of
its key that succeeds: (captured, waiting or dead_lettered, answer) is succeeded. See
docs/adr/0023-a-key-is-one-effect.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from reprise.errors import IllegalTransitionError


class State(StrEnum):
    """Where a call stands."""

    CAPTURED = "captured"
    LEASED = "leased"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    DEAD_LETTERED = "dead_lettered"


class LedgerEvent(StrEnum):
    """What can happen to a call."""

    LEASE = "lease"
    TAKE_OVER = "take_over"
    SUCCEED = "succeed"
    WAIT = "wait"
    DEAD_LETTER = "dead_letter"
    REDRIVE = "redrive"
    RECAPTURE = "recapture"
    ANSWER = "answer"


FIRST: Final = frozenset({State.CAPTURED, State.LEASED, State.DEAD_LETTERED})
"""In which a row may begin: captured, claimed by a live call, or of a key that names another payload."""
TERMINAL: Final = frozenset({State.SUCCEEDED, State.DEAD_LETTERED})

TRANSITIONS: Final[dict[tuple[State, LedgerEvent], State]] = {
    (State.CAPTURED, LedgerEvent.LEASE): State.LEASED,
    (State.WAITING, LedgerEvent.LEASE): State.LEASED,
    (State.LEASED, LedgerEvent.TAKE_OVER): State.LEASED,
    (State.LEASED, LedgerEvent.SUCCEED): State.SUCCEEDED,
    (State.LEASED, LedgerEvent.WAIT): State.WAITING,
    (State.LEASED, LedgerEvent.DEAD_LETTER): State.DEAD_LETTERED,
    (State.DEAD_LETTERED, LedgerEvent.REDRIVE): State.CAPTURED,
    (State.DEAD_LETTERED, LedgerEvent.RECAPTURE): State.CAPTURED,
    (State.CAPTURED, LedgerEvent.ANSWER): State.SUCCEEDED,
    (State.WAITING, LedgerEvent.ANSWER): State.SUCCEEDED,
    (State.DEAD_LETTERED, LedgerEvent.ANSWER): State.SUCCEEDED,
}


def next_state(state: State, event: LedgerEvent) -> State:
    """Return the state after an event.

    Raises:
        IllegalTransitionError: If the event cannot happen in that state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        msg = f"a call that is {state} cannot {event}"
        raise IllegalTransitionError(msg) from None


def sources(event: LedgerEvent) -> tuple[State, ...]:
    """Return the states in which an event can happen, for a store's conditions."""
    return tuple(state for (state, happened) in TRANSITIONS if happened is event)


def result(event: LedgerEvent) -> State:
    """Return the one state that an event leads to, wherever it happens.

    Raises:
        IllegalTransitionError: If the table sends the event to no state, or to several.
    """
    found = {after for (_, happened), after in TRANSITIONS.items() if happened is event}
    if len(found) != 1:
        msg = f"{event} leads to {len(found)} states"
        raise IllegalTransitionError(msg)
    return found.pop()
