"""Say when a call that has not arrived is looked for in its log group."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise.aws.counters_table import READ_BACK, StateItem
from reprise.errors import StoreError
from reprise.instant import from_ms
from reprise.monitor.read_back import LATE_S, ReadBack, read_at_ms

if TYPE_CHECKING:
    from datetime import datetime

    from reprise_cli.app import App

_LONGEST: Final = timedelta(minutes=30)
"""An id is made when a call begins, and its line when its last try has ended: Lambda's longest run."""
_RUNBOOK: Final = "docs/runbooks/capture-path.md"


def read_back_of(reprise: App) -> ReadBack:
    """Return how far a stack's log groups have been read back; nowhere, if that cannot be read."""
    item = StateItem(reprise.aws.dynamodb, reprise.stack.ledger_table, READ_BACK, ReadBack)
    try:
        return item.load()
    except StoreError:
        return ReadBack()


def looked_for(state: ReadBack, made: datetime | None, now: datetime) -> tuple[str, bool]:
    """Return when a call is looked for that nobody knows, and whether it may be found yet.

    Args:
        state: How far has been read back.
        made: When its id was made; None if it does not say.
        now: The present.

    Returns:
        A sentence; empty if the stack does not read its log groups back.
    """
    if not state.done_ms:
        return "", False
    done = from_ms(state.done_ms)
    if (now - done).total_seconds() > LATE_S:
        return f"Lost lines were looked for to {_short(done)} only: {_RUNBOOK}", False
    if made is not None and made + _LONGEST < done:
        return f"Its log group was read back to {_short(done)}, and no line of it was found", False
    at_ms = max(state.done_ms, int(made.timestamp() * 1000)) if made is not None else state.done_ms
    read_ms = read_at_ms(state, at_ms)
    if read_ms is None:
        return "", False
    at = _short(max(now, from_ms(read_ms)))
    return f"If its line was lost, it is looked for at {at}, or in the ten minutes after it", True


def _short(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}Z"
