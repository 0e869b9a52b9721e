"""Make events of what happened to calls and gates: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.dead_letter import CONDITIONS, outcome_of_last
from reprise.events.event import (
    Death,
    GateChanged,
    ReplayDeadLettered,
    ReplaySucceeded,
    RequestContext,
    ResponseContext,
)
from reprise.instant import format_instant, from_ms, parse_instant
from reprise.policy.decision import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.ledger.row import Row
    from reprise.observe.gates import GateChange
    from reprise.record.record import Record


def replay_succeeded(stack: str, record: Record, row: Row, now: datetime) -> ReplaySucceeded:
    """Return the event of a call that ended well."""
    return ReplaySucceeded(
        stack=stack,
        id=row.id,
        function=record.target.qualified,
        at=format_instant(now),
        age_s=round(max(0.0, (now - parse_instant(row.opened_at)).total_seconds()), 3),
        attempts=row.attempts,
        refusals=row.refusals,
    )


def replay_dead_lettered(stack: str, record: Record, row: Row, now: datetime) -> ReplayDeadLettered:
    """Return the event of a call that was given up."""
    reason = Reason(row.reason or Reason.PERMANENT)
    last = outcome_of_last(record, row)
    return ReplayDeadLettered(
        stack=stack,
        timestamp=format_instant(now),
        requestContext=RequestContext(
            requestId=last.request_id or row.id,
            functionArn=record.target.qualified,
            condition=CONDITIONS[reason],
            approximateInvokeCount=row.attempts,
        ),
        responseContext=ResponseContext(
            statusCode=last.status,
            executedVersion=record.target.qualifier or "$LATEST",
            functionError=last.function_error,
        ),
        reprise=Death(
            id=row.id,
            reason=reason.value,
            attempts=row.attempts,
            refusals=row.refusals,
            object=row.capture_object,
        ),
    )


def gate_changed(stack: str, change: GateChange, now: datetime) -> GateChanged:
    """Return the event of a hold that began or ended."""
    held = change.after if change.is_holding or change.before is None else change.before
    since = from_ms(held.holding_since_ms)
    return GateChanged(
        stack=stack,
        function=change.function,
        state="holding" if change.is_holding else "flowing",
        at=format_instant(now),
        holding_since=format_instant(since),
        held_s=round(max(0.0, (now - since).total_seconds()), 3),
    )
