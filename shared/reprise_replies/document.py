"""The record of a call's end: Lambda's own invocation record, as dead letters and events have it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.dead_letter import CONDITIONS, json_or_text, outcome_of_last
from reprise.ledger import State
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.ledger import Row

MAX_REPLY_BYTES: Final = 1_000_000
"""Of a target's reply in a record. Longer ones fit nowhere, and ten of them decoded in no memory."""
SUCCESS: Final = "Success"
"""Lambda's own word for the condition of a record of success (Lambda developer guide, "Capturing records of
Lambda asynchronous invocations")."""


def end_record(record: Record, row: Row, result: bytes | None, bucket: str) -> dict[str, Any]:
    """Return the record of a call that has ended.

    Args:
        record: The call as captured.
        row: Its row, in an end.
        result: Its late result, if it succeeded and that was kept.
        bucket: The stack's, where long results are.
    """
    has_succeeded = row.state is State.SUCCEEDED
    reason = None if has_succeeded else Reason(row.reason or Reason.PERMANENT)
    last = outcome_of_last(record, row)
    function_error = None if has_succeeded else last.function_error
    block: dict[str, Any] = {
        "id": row.id,
        "state": row.state.value,
        "reason": None if reason is None else reason.value,
        "message": row.message,
        "attempts": row.attempts,
        "refusals": row.refusals,
        "captured_at": record.captured_at,
        "idempotency_key": _said(record.idempotency_key),
        "scope": _said(record.scope),
        "result": None if row.result_key is None else f"s3://{bucket}/{row.result_key}",
    }
    return {
        "version": "1.0",
        "timestamp": row.updated_at,
        "requestContext": {
            "requestId": last.request_id or row.id,
            "functionArn": record.target.qualified,
            "condition": SUCCESS if reason is None else CONDITIONS[reason],
            "approximateInvokeCount": row.attempts + int(has_succeeded),
        },
        "requestPayload": json_or_text(record.payload.inline),
        "responseContext": {
            "statusCode": 200 if has_succeeded else last.status,
            "executedVersion": record.target.qualifier or "$LATEST",
            "functionError": function_error,
        },
        "responsePayload": None if result is None else _response(result),
        "reprise": block,
    }


def fit(document: dict[str, Any], most_bytes: int) -> str:
    """Return a record as ASCII JSON of at most so many bytes: first without what was sent, then the reply.

    A reply that is left out is where `reprise.result` says, or is asked for by the call's id.
    """
    shorter = document
    for left_out in ("requestPayload", "responsePayload"):
        text = json.dumps(shorter, separators=(",", ":"))
        if len(text) <= most_bytes:
            return text
        shorter = {**shorter, left_out: None}
    return json.dumps(shorter, separators=(",", ":"))


def without_payloads(document: dict[str, Any]) -> dict[str, Any]:
    """Return a record as events carry it: nothing that may quote what was sent or answered."""
    block = {**document["reprise"], "message": None}
    return {**document, "requestPayload": None, "responsePayload": None, "reprise": block}


def _response(result: bytes) -> object:
    if len(result) > MAX_REPLY_BYTES:
        return None
    try:
        return json_or_text(result.decode())
    except UnicodeDecodeError:
        # Bytes that are no text have no form in this record.
        return None


def _said(value: str | msgspec.UnsetType | None) -> str | None:
    return None if value is msgspec.UNSET else value
