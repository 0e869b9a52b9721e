"""Say when an object has waited too long, so that S3's lifecycle rules are never what ends a call."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise.backlog.rule import MAX_SPREAD_S, Expand
from reprise.gate.image import Change

if TYPE_CHECKING:
    from datetime import datetime

LONGEST_SHARE: Final = 0.5
"""Share of an object's life in S3 that it may wait folded."""


def is_overdue(since: datetime, *, now: datetime, retention_days: int) -> bool:
    """Tell whether an object that waits since then must be expanded whatever the gate says."""
    return now - since > timedelta(days=retention_days * LONGEST_SHARE)


def overdue_expansion(records: int) -> Expand:
    """Return the expansion of a whole folded object; its change has no condition."""
    add = {"waiting": records, "folded_records": -records, "folded_objects": -1}
    return Expand(records=records, spread_s=MAX_SPREAD_S, rest_delay_s=0.0, change=Change(add=add))
