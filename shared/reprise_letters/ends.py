"""What became of letters and of canaries, told from the ledger's rows: pure rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.ledger import TERMINAL, State
from reprise_letters.job import LetterJobState, LetterVerb
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.ledger import Row
    from reprise_letters.job import LetterJob


def canary_end(
    rows: Mapping[str, Row], ids: Sequence[str], *, is_over: bool
) -> tuple[LetterJobState | None, str]:
    """Return how a canary has ended, and why; DONE if the rest may go, None if it is to be waited for."""
    dead = [row for row in rows.values() if row.state is State.DEAD_LETTERED]
    open_ = [row for row in rows.values() if row.state not in TERMINAL]
    if dead:
        about = "; ".join(f"{row.id}: {row.reason}: {_last_of(row)}" for row in dead[:3])
        why = f"{len(dead)} of {len(ids)} were given up again: {about}"
        return LetterJobState.CANARY_FAILED, why
    if not open_:
        return LetterJobState.DONE, ""
    if not is_over:
        return None, ""
    row = open_[0]
    return LetterJobState.CANARY_OPEN, (
        f"{len(open_)} of {len(ids)} have not ended: {row.id} is {row.state.value}, "
        f"{row.attempts} executions failed, {row.refusals} refusals"
    )


def _last_of(row: Row) -> str:
    """Return how the last try ended."""
    outcome = row.history[-1].outcome if row.history else None
    said = [text for text in (outcome.code, outcome.message) if text] if outcome else []
    return ": ".join(said) or row.message or ""


def of_missing(row: Row | None, job: LetterJob) -> tuple[Action, str]:
    """Return what became of a letter that is not seen any more.

    Only what came of a call's opening tells that its message was sent: the letter may be in somebody's hands.
    """
    if row is not None and job.verb is LetterVerb.DISCARD and job.id in (row.note or ""):
        return Action.DISCARDED, "as the ledger says: the run that did it was cut short"
    is_opened = row is not None and row.opened_at >= job.started_at
    if row is None or not is_opened or job.verb is LetterVerb.DISCARD:
        return Action.MISSED, "it was not seen: somebody has it in hand, or has taken it"
    has_moved = row.state is not State.CAPTURED or row.attempts or row.refusals
    if has_moved:
        return Action.REDRIVEN, "as the ledger says: the run that did it was cut short"
    return Action.MISSED, "its call was opened, and its letter was not seen: resume the job later"
