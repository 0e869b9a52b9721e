from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.request import CallRequest
from reprise.call.target import Target
from reprise.capturing.answer import (
    fill_status_url,
    write_answer,
    write_captured,
    write_refusal,
    write_status,
)
from reprise.capturing.invoker import Answer, Captured
from reprise.errors import BadRequestError
from reprise.ledger import State
from reprise.ports import Reply
from reprise_cli.calls.lookup import CallRef, read_call_ref
from strategies import NOW, ORDERS, make_row, payload_bytes

URL = "reprise://shop/calls/{id}"
THROTTLE = Outcome(kind=OutcomeKind.THROTTLED, code="TooManyRequestsException", status=429)


def _request(*, wants_json: bool = False) -> CallRequest:
    return CallRequest(target=Target(function=ORDERS), payload=b"", wants_json=wants_json)


def _succeeded(payload: bytes, version: str | None = None) -> Answer:
    outcome = Outcome(kind=OutcomeKind.SUCCEEDED, status=200)
    return Answer(reply=Reply(outcome=outcome, payload=payload, executed_version=version))


@pytest.mark.parametrize(
    ("payload", "wants_json", "expected"),
    [
        (b'{"a": 1}', False, {"Payload": '{"a": 1}'}),
        (b'{"a": 1}', True, {"Payload": {"a": 1}}),
        (b"plain", True, {"Payload": "plain"}),
        (b"null", True, {"Payload": None}),
        (b"", True, {"Payload": ""}),
        (b"\xff", True, {"PayloadBase64": "/w=="}),
        (b"\xff", False, {"PayloadBase64": "/w=="}),
        (b"[" * 50_000, True, {"Payload": "[" * 50_000}),
    ],
)
def test_a_targets_reply_comes_in_the_form_of_the_request(
    payload: bytes, *, wants_json: bool, expected: dict[str, Any]
) -> None:
    answer = write_answer(_request(wants_json=wants_json), _succeeded(payload), URL)
    assert answer == {"StatusCode": 200, **expected}


@given(payload=payload_bytes, wants_json=st.booleans())
def test_any_reply_can_be_answered_as_json(payload: bytes, *, wants_json: bool) -> None:
    answer = write_answer(_request(wants_json=wants_json), _succeeded(payload, "7"), URL)
    assert answer["ExecutedVersion"] == "7"
    assert json.loads(json.dumps(answer))["StatusCode"] == 200


@pytest.mark.parametrize(
    ("status_url", "expected"),
    [
        (URL, "reprise://shop/calls/orders:%7Bid%7D%7Btoken%7D"),
        ("https://x/{id}?t={token}", "https://x/orders:%7Bid%7D%7Btoken%7D?t=secret"),
    ],
)
def test_a_captured_call_is_accepted_with_its_id_and_never_a_success(
    status_url: str, expected: str
) -> None:
    captured = Captured(
        call_id="orders:{id}{token}",
        status_token="secret",
        captured_at="2026-11-21T10:00:00.000000Z",
    )
    answer = Answer(reply=Reply(outcome=THROTTLE), captured=captured)
    assert write_answer(_request(), answer, status_url) == {
        "StatusCode": 202,
        "reprise": {
            "id": "orders:{id}{token}",
            "outcome": {"kind": "throttled", "code": "TooManyRequestsException", "status": 429},
            "status_url": expected,
            "status_token": "secret",
        },
    }


def test_a_callers_mistake_that_is_found_after_the_call_is_told_beside_how_the_call_ended() -> None:
    error = BadRequestError("IdempotencyKey", "is taken", "Send another", status=409)
    answer = Answer(reply=Reply(outcome=THROTTLE), not_captured="why", refused=error)
    assert write_answer(_request(), answer, URL) == {
        "StatusCode": 409,
        "error": {"field": "IdempotencyKey", "message": "is taken", "next_step": "Send another"},
        "reprise": {
            "captured": False,
            "reason": "why",
            "outcome": {"kind": "throttled", "code": "TooManyRequestsException", "status": 429},
        },
    }


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        (OutcomeKind.THROTTLED, 429, 429),
        (OutcomeKind.PERMANENT, 404, 404),
        (OutcomeKind.TRANSIENT, None, 502),
        (OutcomeKind.UNKNOWN, None, 504),
    ],
)
def test_a_call_that_failed_and_was_not_captured_is_an_error(
    kind: OutcomeKind, status: int | None, expected: int
) -> None:
    answer = Answer(reply=Reply(outcome=Outcome(kind=kind, status=status)))
    document = write_answer(_request(), answer, URL)
    assert document["StatusCode"] == expected
    assert document["error"]["kind"] == kind.value
    assert "reprise" not in document


def test_a_capture_that_failed_is_told_beside_the_targets_own_error() -> None:
    document = write_answer(
        _request(), Answer(reply=Reply(outcome=THROTTLE), not_captured="s3 is away"), URL
    )
    assert document["StatusCode"] == 429
    assert document["reprise"] == {"captured": False, "reason": "s3 is away"}


def test_a_function_error_that_was_not_captured_is_lambdas_own_answer() -> None:
    outcome = Outcome(kind=OutcomeKind.FUNCTION_ERROR, status=200, function_error="Unhandled")
    answer = Answer(reply=Reply(outcome=outcome, payload=b'{"errorType":"E"}'))
    assert write_answer(_request(), answer, URL) == {
        "StatusCode": 200,
        "Payload": '{"errorType":"E"}',
        "FunctionError": "Unhandled",
    }


def test_a_refusal_carries_field_message_and_next_step() -> None:
    error = BadRequestError("Payload", "is too long", "Send less", status=413)
    assert write_refusal(error) == {
        "StatusCode": 413,
        "error": {"field": "Payload", "message": "is too long", "next_step": "Send less"},
    }


def test_a_call_that_the_ledger_does_not_know_is_captured() -> None:
    assert write_captured("x", NOW) == {
        "StatusCode": 200,
        "reprise": {
            "id": "x",
            "state": "captured",
            "captured_at": "2026-11-21T10:00:00.000000Z",
            "message": "its line is on its way, or its row is older than the stack's RetentionDays",
        },
    }


def test_the_status_of_a_call_is_the_ledgers_view() -> None:
    row = make_row(state=State.DEAD_LETTERED, attempts=3, reason="exhausted", message="why")
    assert write_status(row) == {
        "StatusCode": 200,
        "reprise": {
            "id": "orders:order-1",
            "state": "dead_lettered",
            "target": ORDERS,
            "attempts": 3,
            "captured_at": "2026-11-21T10:00:00.000000Z",
            "updated_at": "2026-11-21T10:00:00.000000Z",
            "reason": "exhausted",
            "message": "why",
        },
    }


@pytest.mark.parametrize(
    ("inline", "kept", "expected"),
    [
        ("reply", None, {"Payload": "reply"}),
        ("", None, {"Payload": ""}),
        (None, b"long", {"Payload": "long"}),
        (None, b"\xff", {"PayloadBase64": "/w=="}),
        (None, None, {}),
    ],
)
def test_the_status_of_a_call_holds_its_late_result_byte_for_byte(
    inline: str | None, kept: bytes | None, expected: dict[str, str]
) -> None:
    row = make_row(state=State.SUCCEEDED, result=inline)
    document = write_status(row, kept)
    assert {name: value for name, value in document.items() if "Payload" in name} == expected


@given(key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=256))
@example("a/b?c&token=x#d%41")
def test_no_key_makes_another_address_of_where_its_call_is_asked_for(key: str) -> None:
    """A client's own text stands in a `Location`, and behind a deployer's `?id=`."""
    captured = Captured(call_id=f"orders:{key}~00", status_token="t.1.2", captured_at="")
    parts = urlsplit(fill_status_url("https://x/calls?id={id}&token={token}", captured))
    assert (parts.netloc, parts.path, parts.fragment) == ("x", "/calls", "")
    assert parse_qs(parts.query) == {"id": [f"orders:{key}~00"], "token": ["t.1.2"]}
    url = fill_status_url("reprise://shop/calls/{id}", captured)
    assert read_call_ref(url) == CallRef(call_id=f"orders:{key}~00", stack_name="shop")
