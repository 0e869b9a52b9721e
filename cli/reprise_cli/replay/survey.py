"""Look through a window before anything is touched: which calls there are, and what would become of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Final

from reprise.capturing.record import Record
from reprise_cli.replay.window import Decision, Step, decide
from reprise_letters.job import Planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from reprise.ledger import Row
    from reprise_cli.replay.objects import CaptureObjects, Unreadable
    from reprise_cli.replay.window import Window
    from reprise_letters.ports import CallRows

_AT_ONCE: Final = 100
"""DynamoDB API reference, BatchGetItem: keys of a request."""
DOES: Final = frozenset({Step.TAKE_IN, Step.REOPEN, Step.AGAIN})
"""Steps that do something."""


@dataclass(slots=True, kw_only=True)
class WindowSurvey:
    """What a look through a window found."""

    objects: int = 0
    planned: list[Planned] = field(default_factory=list)
    """Calls that something is done with, as a job remembers them: `reason` is the step."""
    counts: Counter[tuple[str, Step, str]] = field(default_factory=Counter)
    """Calls by target, step, and why."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """Lines that are not believed, by reason."""


def survey(
    source: CaptureObjects,
    rows: CallRows,
    window: Window,
    now: datetime,
    *,
    max_count: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> WindowSurvey:
    """Return which calls of a window there are.

    Args:
        source: The capture objects.
        rows: Tells how calls stand.
        window: What was asked for.
        now: The present.
        max_count: Calls that something is done with, at most: the first that were captured.
        advance: Told of each object.

    Raises:
        StoreError: If an object, the list of them or the ledger cannot be read.
    """
    found = WindowSurvey()
    seen: set[str] = set()
    for key in source.keys(window):
        found.objects += 1
        for record, decision in decided(source.records(key, window), rows, window, now, found):
            if record.id in seen:
                continue
            seen.add(record.id)
            found.counts[record.target.name, decision.step, decision.why] += 1
            if decision.step in DOES:
                found.planned.append(
                    Planned(
                        id=record.id,
                        message_id=record.id,
                        target=record.target.name,
                        reason=decision.step.value,
                        error=record.outcome.code or record.outcome.kind.value,
                        at=record.captured_at,
                    )
                )
        advance(1)
    found.planned.sort(key=lambda call: call.at)
    del found.planned[len(found.planned) if max_count is None else max_count :]
    return found


def decided(
    items: Iterable[Record | Unreadable],
    rows: CallRows,
    window: Window,
    now: datetime,
    found: WindowSurvey,
) -> Iterable[tuple[Record, Decision]]:
    """Yield calls with what becomes of each; what is not believed is counted in `found`.

    Raises:
        StoreError: As `survey`.
    """
    for some in batched(items, _AT_ONCE):
        records = [item for item in some if isinstance(item, Record)]
        found.unreadable.update(item.reason for item in some if not isinstance(item, Record))
        known: dict[str, Row] = rows.get_all([record.id for record in records]) if records else {}
        for record in records:
            yield record, decide(record, known.get(record.id), window, now)
