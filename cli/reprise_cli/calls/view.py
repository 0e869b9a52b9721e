"""Show calls, to people and to programs; payloads and results stay where they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reprise.instant import parse_instant
from reprise.ledger import State
from reprise_cli.calls.selection import key_of
from reprise_cli.duration import format_duration
from reprise_cli.fitted import WIDE, Column, Fitted
from reprise_cli.policy.document import short_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reprise_cli.calls.selection import FoundCall
    from reprise_cli.output import Output


def describe(call: FoundCall, now: datetime) -> dict[str, Any]:
    """Return a call as JSON values."""
    row, entry = call.row, call.entry
    return {
        "id": row.id,
        "state": row.state.value,
        "target": short_name(row.target),
        "captured_at": row.captured_at,
        "age_s": _age_s(call, now),
        "updated_at": row.updated_at,
        "key": key_of(row.id),
        "attempts": row.attempts,
        "refusals": row.refusals,
        "reason": row.reason,
        "message": row.message,
        "captured_for": None if entry is None else entry.why,
        "captured_by": None if entry is None else entry.source,
        "error": call.error,
        "note": row.note,
    }


def show_calls(out: Output, calls: Sequence[FoundCall], title: str, now: datetime) -> None:
    """Show calls as a table."""
    # Ids are there to be copied: none is cut.
    columns = (
        Column(name="id", cells=[call.row.id for call in calls], rank=0, folded=36),
        Column(name="state", cells=[call.row.state.value for call in calls], rank=1),
        Column(
            name="captured",
            cells=[format_duration(_age_s(call, now)) for call in calls],
            rank=2,
            is_number=True,
        ),
        Column(
            name="why",
            cells=[_why(call) for call in calls],
            rank=3,
            least=12,
            is_shortened=True,
        ),
        Column(
            name="target", cells=[short_name(call.row.target) for call in calls], rank=4, least=12
        ),
        Column(
            name="attempts",
            cells=[str(call.row.attempts) for call in calls],
            rank=5,
            is_number=True,
        ),
        Column(
            name="captured at", cells=[call.row.captured_at[:19] + "Z" for call in calls], rank=6
        ),
    )
    out.show(Fitted(columns=columns, title=title, wanted=3, hint=WIDE))


def groups(calls: Sequence[FoundCall]) -> list[dict[str, Any]]:
    """Return how many calls there are of each target, state and reason, as JSON values; the most first."""
    found = Counter(
        (short_name(call.row.target), call.row.state.value, call.row.reason or "") for call in calls
    )
    rows = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"target": target, "state": state, "reason": reason, "calls": count}
        for (target, state, reason), count in rows
    ]


def say_groups(calls: Sequence[FoundCall]) -> str:
    """Return the same as one line."""
    return "; ".join(
        f"{group['target']}: {group['calls']:,} "
        + " ".join(part for part in (group["state"], group["reason"]) if part)
        for group in groups(calls)
    )


def _why(call: FoundCall) -> str:
    """Return why a call stands where it does: given up, failed last, or captured."""
    row = call.row
    if row.state is State.DEAD_LETTERED:
        said = [row.reason or "", row.message or ""]
    elif row.history and row.state is not State.SUCCEEDED:
        said = [f"failed {row.attempts} times", call.error]
    else:
        said = [] if call.entry is None else [call.entry.why]
    return " ".join(": ".join(part for part in said if part).split())


def _age_s(call: FoundCall, now: datetime) -> float:
    return round(max(0.0, (now - parse_instant(call.row.captured_at)).total_seconds()), 3)
