from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import pack
from reprise.call.target import Target
from reprise.capturing.wire import decode_record
from reprise.dead_letter import MAX_LETTER_BYTES, dead_letter
from reprise.instant import format_instant
from reprise.ledger import MAX_HISTORY, PastAttempt, Row
from reprise.retry.decision import Reason
from strategies import NOW, ORDERS, make_record, make_row, payload_bytes, records

if TYPE_CHECKING:
    from reprise.capturing.record import Record

FAILED = Outcome(
    kind=OutcomeKind.FUNCTION_ERROR,
    code="KeyError",
    status=200,
    message="'sku'",
    request_id="r-1",
    function_error="Unhandled",
)


def _letter(record: Record, row: Row, response: bytes = b"") -> dict[str, Any]:
    def refuse(constant: str) -> float:
        msg = f"{constant} is no JSON"
        raise AssertionError(msg)

    text = dead_letter(record, row, now=NOW, response=response)
    assert text.isascii()
    assert len(text) <= 1024 * 1024 - 1024
    letter = json.loads(text, parse_constant=refuse)
    assert isinstance(letter, dict)
    return letter


def test_a_dead_letter_is_an_invocation_record_of_lambda() -> None:
    row = make_row(
        reason="exhausted",
        message="3 attempts failed",
        attempts=3,
        refusals=1,
        history=(PastAttempt(at=format_instant(NOW), outcome=FAILED),),
        capture_object="s3://bucket/captured/1.gz",
    )
    record = make_record(target=Target(function=ORDERS, qualifier="live"))
    letter = _letter(record, row, b'{"errorType":"KeyError"}')
    reprise = letter.pop("reprise")
    assert letter == {
        "version": "1.0",
        "timestamp": "2026-11-21T10:00:00.000000Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": f"{ORDERS}:live",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"order": 1},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "live",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorType": "KeyError"},
    }
    assert (reprise["id"], reprise["reason"], reprise["attempts"], reprise["refusals"]) == (
        row.id,
        "exhausted",
        3,
        1,
    )
    assert reprise["object"] == "s3://bucket/captured/1.gz"
    assert decode_record(reprise["record"]) == record


@pytest.mark.parametrize(
    ("reason", "condition"),
    [
        ("exhausted", "RetriesExhausted"),
        ("expired", "EventAgeExceeded"),
        ("permanent", "Permanent"),
        ("unknown", "Unknown"),
        ("key_conflict", "KeyConflict"),
        (None, "Permanent"),
    ],
)
def test_every_reason_has_its_condition(reason: str | None, condition: str) -> None:
    letter = _letter(make_record(), make_row(reason=reason))
    assert letter["requestContext"]["condition"] == condition


def test_a_call_that_was_never_replayed_tells_how_it_was_captured() -> None:
    letter = _letter(make_record(), make_row(reason="expired"))
    assert letter["responseContext"]["statusCode"] == 429
    assert letter["requestContext"]["requestId"] == "orders:order-1"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"", None),
        (b"not json", "not json"),
        (b"\xff", "\ufffd"),
        (b"x" * (64 * 1024 + 1), None),
        # Python functions answer so; another language's JSON parser would refuse the letter.
        (b"NaN", "NaN"),
        (b'{"ratio":1e999}', '{"ratio":1e999}'),
        (b"[" * 50_000, "[" * 50_000),
    ],
    ids=["none", "text", "no text", "too long", "NaN", "infinite", "too deep"],
)
def test_a_response_of_any_kind_fits_in_strict_json(response: bytes, expected: str | None) -> None:
    letter = _letter(make_record(), make_row(reason="permanent"), response)
    assert letter["responsePayload"] == expected


@given(record=records, reason=st.sampled_from(Reason), response=payload_bytes)
def test_any_letter_is_strict_json_that_holds_the_whole_record(
    record: Record, reason: Reason, response: bytes
) -> None:
    letter = _letter(record, make_row(reason=reason.value), response)
    assert decode_record(letter["reprise"]["record"]) == record


@pytest.mark.parametrize(
    "unit", [b"\x01", b"[1e9,", b"\xf0\x9f\x98\x80"], ids=["control", "floats", "emoji"]
)
def test_the_largest_letter_fits_a_message(unit: bytes) -> None:
    """A letter that SQS refuses would be a call lost."""
    data = unit * (184_000 // max(len(json.dumps(unit.decode())) - 2, 1))
    payload = pack(data, 188 * 1024)
    assert payload is not None
    assert payload.inline is not None
    emoji = "\N{GRINNING FACE}"
    worst = msgspec.structs.replace(FAILED, code=emoji * 256, message=emoji * 1024)
    row = make_row(
        reason="exhausted",
        message=emoji * 1400,
        history=(PastAttempt(at=format_instant(NOW), outcome=worst),) * MAX_HISTORY,
    )
    letter = _letter(make_record(payload=payload, outcome=worst), row, b"\xff" * (64 * 1024))
    assert decode_record(letter["reprise"]["record"]).payload == payload
    assert MAX_LETTER_BYTES < 1024 * 1024
