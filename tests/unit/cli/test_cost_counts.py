"""The numbers that `reprise cost` reckons with are those of the product and of its templates."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from reprise.aws.ledger_rows import to_item
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import pack
from reprise.call.target import Target
from reprise.capturing.line import MAX_LINE_BYTES, sign_record, write_line
from reprise.capturing.record import Record, Source
from reprise.capturing.signature import MacKeys
from reprise.capturing.status import INLINE_RESULT_BYTES
from reprise.ledger import MAX_HISTORY, PastAttempt, new_row
from reprise.replay.message import ReplayMessage, write_message
from reprise_cli.cost import calls, limits, measured, rest

ROOT: Final = Path(__file__).parents[3]
SECRET: Final = json.dumps({"current": "k1", "k1": "k" * 42, "targets": ["*"]})
KEYS: Final = MacKeys.from_secret(SECRET, "invoker")
OBJECT: Final = (
    "s3://reprise-123456789012-us-east-1/captured/2026/11/29/10/"
    "reprise-capture-1-2026-11-29-10-00-00-01234567-89ab-cdef-0123-456789abcdef.gz"
)
REQUEST: Final = "01234567-89ab-cdef-0123-456789abcdef"
ROOM: Final = 0.15
"""Names differ in length; a count is off if a part is missing, not if a name is longer."""


def captured(payload: bytes = b"x" * 1_000) -> Record:
    packed = pack(payload, 100_000)
    assert packed is not None
    record = Record(
        id=f"orders:{REQUEST}",
        captured_at="2026-11-29T10:00:00.123456Z",
        source=Source(name="invoker", version="0.1.0"),
        target=Target(function="arn:aws:lambda:us-east-1:123456789012:function:orders"),
        payload=packed,
        outcome=Outcome(kind=OutcomeKind.THROTTLED, code="TooManyRequestsException", status=429),
    )
    return sign_record(record, KEYS)


def item_bytes(item: dict[str, Any]) -> int:
    """Return an item's size as DynamoDB counts it, roughly: names, text, half a byte a digit."""
    total = 0
    for name, attribute in item.items():
        ((kind, value),) = attribute.items()
        total += len(name) + (len(value) // 2 + 2 if kind == "N" else len(str(value)))
    return total


def test_a_line_a_message_and_a_row_are_as_long_as_they_are_reckoned() -> None:
    record = captured()
    lengths = {
        len(write_line(record, KEYS)): measured.LINE_BYTES + 1_000,
        len(write_message(ReplayMessage(record=record, object=OBJECT))): measured.MESSAGE_BYTES
        + 1_000,
        item_bytes(to_item(new_row(record, OBJECT, datetime.now(UTC), 30))): measured.ROW_BYTES,
    }
    for length, reckoned in lengths.items():
        assert length == pytest.approx(reckoned, rel=ROOM)


def test_an_attempt_in_a_rows_history_is_as_long_as_it_is_reckoned() -> None:
    now = "2026-11-29T10:00:00.123456Z"
    outcome = Outcome(kind=OutcomeKind.SUCCEEDED, status=200, request_id=REQUEST)
    row = new_row(captured(), OBJECT, datetime.now(UTC), 30)
    entry = PastAttempt(at=now, began_at=now, outcome=outcome)
    longer = item_bytes(to_item(replace(row, history=(entry,)))) - item_bytes(to_item(row))
    assert longer == pytest.approx(measured.ATTEMPT_BYTES, rel=ROOM)


def test_a_payload_is_inline_as_long_as_it_is_reckoned_to_be() -> None:
    budget = MAX_LINE_BYTES - 32 * 1024
    letters = (string.ascii_letters * 4_000).encode()
    for more, is_inline in ((0, True), (1, False)):
        packed = pack(letters[: measured.INLINE_PAYLOAD_BYTES + more], budget)
        assert packed is not None
        assert (packed.inline is not None) is is_inline


def test_limits_of_the_product_are_those_that_are_reckoned_with() -> None:
    assert (INLINE_RESULT_BYTES, MAX_HISTORY) == (
        measured.INLINE_RESULT_BYTES,
        measured.MAX_HISTORY,
    )


def test_the_templates_have_what_is_reckoned_with() -> None:
    replay, alarms, secrets, invoker = (
        (ROOT / f"infra/{name}.yaml").read_text()
        for name in ("replay", "alarms", "secrets", "invoker")
    )
    assert replay.count("MemorySize: 1024") == 2
    assert replay.count(f"BatchSize: {measured.REPLAY_BATCH}") == 2
    assert f"ScalingConfig: {{MaximumConcurrency: {limits.UNPACKERS}}}" in replay
    assert f"MemorySize: {calls.INVOKER_MB}" in invoker
    assert alarms.count("MetricName:") == rest.ALARM_METRICS
    assert alarms.count("AWS::CloudWatch::CompositeAlarm") == rest.COMPOSITES
    assert secrets.count("Type: AWS::SecretsManager::Secret") == rest.SECRETS
