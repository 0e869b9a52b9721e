"""Who asks for a call that has not arrived hears when it is looked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reprise.call.target import new_call_id
from reprise.monitor.read_back import LATE_S, ReadBack
from reprise_cli.calls.ids import unknown
from reprise_cli.calls.read_back import looked_for

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STATE = ReadBack(done_ms=int((NOW - 60 * MINUTE).timestamp() * 1000))
"""Read to 11:00; the next stretch ends at 11:30, and is due at 12:15."""


@pytest.mark.parametrize(
    ("made_min", "said", "may_come"),
    [
        (5, "looked for at 2026-11-30T12:45Z", True),
        (29, "looked for at 2026-11-30T12:45Z", True),
        (31, "looked for at 2026-11-30T12:15Z", True),
        (60, "looked for at 2026-11-30T12:15Z", True),
        # Its line may have been written up to half an hour later than its id.
        (89, "looked for at 2026-11-30T12:15Z", True),
        (91, "read back to 2026-11-30T11:00Z, and no line of it was found", False),
    ],
)
def test_when_a_call_is_looked_for_follows_from_its_id(
    made_min: int, said: str, *, may_come: bool
) -> None:
    sentence, may = looked_for(STATE, NOW - made_min * MINUTE, NOW)
    assert said in sentence
    assert may is may_come


def test_call_whose_id_tells_no_time_is_looked_for_with_the_next_lines() -> None:
    sentence, _ = looked_for(STATE, None, NOW)
    assert "looked for at 2026-11-30T12:15Z" in sentence


def test_what_is_being_read_is_looked_for_now() -> None:
    sentence, _ = looked_for(STATE, NOW - 50 * MINUTE, NOW + 40 * MINUTE)
    assert "looked for at 2026-11-30T12:40Z" in sentence


def test_stack_that_reads_nothing_back_promises_nothing() -> None:
    assert looked_for(ReadBack(), NOW, NOW) == ("", False)


def test_reading_that_is_late_is_said_to_be() -> None:
    sentence, may_come = looked_for(STATE, NOW, NOW + timedelta(seconds=LATE_S))
    assert sentence.startswith("Lost lines were looked for to 2026-11-30T11:00Z only")
    assert not may_come


def test_call_of_an_hour_ago_that_may_still_be_found_is_not_said_to_be_unknown() -> None:
    made_ms = int((NOW - 55 * MINUTE).timestamp() * 1000)
    message, step, may_come = unknown(new_call_id(made_ms, bytes(10)), NOW, STATE)
    assert "has not arrived: its id was made 55m" in message
    assert "12:15Z" in step
    assert may_come
