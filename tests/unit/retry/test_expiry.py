from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from reprise.instant import parse_instant
from reprise.retry.decision import expiry
from reprise.retry.policy import Policy
from strategies import NOW, instants, make_record, policies, records

if TYPE_CHECKING:
    from reprise.capturing.record import Record


@pytest.mark.parametrize(
    ("not_after", "expected"),
    [
        (None, NOW + timedelta(hours=6)),
        ("2026-11-21T10:05:00Z", NOW + timedelta(minutes=5)),
        ("2026-11-25T10:05:00Z", NOW + timedelta(hours=6)),
        ("2026-11-20T10:05:00Z", NOW - timedelta(hours=23, minutes=55)),
    ],
)
def test_a_call_ends_by_policy_or_by_its_callers_deadline(
    not_after: str | None, expected: datetime
) -> None:
    assert expiry(make_record(not_after=not_after), Policy(), NOW) == expected


@given(record=records, policy=policies, opened_at=instants)
def test_neither_bound_is_ever_passed(record: Record, policy: Policy, opened_at: datetime) -> None:
    end = expiry(record, policy, opened_at)
    assert end <= opened_at + timedelta(seconds=policy.max_age_s)
    if record.not_after is not None:
        assert end <= parse_instant(record.not_after)
