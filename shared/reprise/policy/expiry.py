"""When a call is too old to be replayed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reprise.instant import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.policy.policy import Policy
    from reprise.record.record import Record


def expiry(record: Record, policy: Policy, opened_at: datetime) -> datetime:
    """Return when a call is given up: by its policy's age or by its caller's deadline.

    Args:
        record: The captured call.
        policy: Its target's policy.
        opened_at: When the call was captured, or redriven by an operator.
    """
    by_age = opened_at + timedelta(seconds=policy.max_age_s)
    if record.not_after is None:
        return by_age
    return min(by_age, parse_instant(record.not_after))
