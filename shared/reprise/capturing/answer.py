"""Write the invoker's answer: the target's own reply unaltered, or an honest 202, or an error."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from reprise.call.outcome import OutcomeKind
from reprise.instant import format_instant
from reprise.ledger import State

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.call.outcome import Outcome
    from reprise.call.request import CallRequest
    from reprise.capturing.invoker import Answer, Captured
    from reprise.errors import BadRequestError
    from reprise.ledger import Row

_SAFE: Final = ":!"
"""What ids are made of that means nothing more in a path, nor in a query (RFC 3986, section 3.3)."""
GIVEN_UP_STATUS: Final = 502
"""Of a captured call that was given up while its caller waited: a gateway's, whose server failed."""


def write_answer(request: CallRequest, answer: Answer, status_url: str) -> dict[str, Any]:
    """Return the JSON that a caller gets.

    200 with `Payload` (and `FunctionError`) is the target's own reply; with `reprise.late_result` it is
    that to a captured call, the one of the same key or the one that was waited for. 202 with `reprise` means
    captured, to be replayed; anything else carries `error`, and 502 with `reprise.reason` is the end of a
    captured call that was given up.

    Args:
        request: What was asked for.
        answer: What became of it.
        status_url: With `{id}`, and if need be `{token}`, where the call's own go.
    """
    reply, outcome = answer.reply, answer.reply.outcome
    if answer.captured is not None:
        return {
            "StatusCode": 202,
            "reprise": {
                "id": answer.captured.call_id,
                "outcome": write_outcome(outcome),
                "status_url": fill_status_url(status_url, answer.captured),
                "status_token": answer.captured.status_token,
            },
        }
    captured: dict[str, Any] = (
        {"reprise": {"captured": False, "reason": answer.not_captured}}
        if answer.not_captured is not None
        else {}
    )
    if answer.refused is not None:
        captured["reprise"]["outcome"] = write_outcome(outcome)
        return {**write_refusal(answer.refused), **captured}
    if answer.given_up is not None and answer.late is not None:
        document = write_status(answer.given_up)
        document["reprise"]["status_token"] = answer.late.status_token
        return {**document, "StatusCode": GIVEN_UP_STATUS, "error": write_outcome(outcome)}
    if outcome.kind not in (OutcomeKind.SUCCEEDED, OutcomeKind.FUNCTION_ERROR):
        return {"StatusCode": status_of(outcome), "error": write_outcome(outcome), **captured}
    document = {
        "StatusCode": status_of(outcome),
        **_payload(reply.payload, wants_json=request.wants_json),
        **captured,
    }
    if answer.late is not None:
        document["reprise"] = {
            "id": answer.late.call_id,
            "late_result": True,
            "captured_at": answer.late.captured_at,
            "status_token": answer.late.status_token,
        }
    if reply.executed_version is not None:
        document["ExecutedVersion"] = reply.executed_version
    if outcome.function_error is not None:
        document["FunctionError"] = outcome.function_error
    return document


def status_of(outcome: Outcome) -> int:
    """Return the HTTP status of an outcome: the server's own, or a gateway's if there was no answer."""
    if outcome.status is not None:
        return outcome.status
    return 504 if outcome.kind is OutcomeKind.UNKNOWN else 502


def write_refusal(error: BadRequestError) -> dict[str, Any]:
    """Return the JSON of a request that was not served."""
    return {
        "StatusCode": error.status,
        "error": {
            "field": error.field,
            "message": error.message,
            "next_step": error.next_step,
        },
    }


def write_status(row: Row, late_result: bytes | None = None) -> dict[str, Any]:
    """Return the JSON of how a captured call stands.

    Args:
        row: Its row.
        late_result: The target's reply, if it is kept outside the row.
    """
    if late_result is None and row.result is not None:
        late_result = row.result.encode()
    return {
        "StatusCode": 200,
        "reprise": {
            "id": row.id,
            "state": row.state.value,
            "target": row.target,
            "attempts": row.attempts,
            "captured_at": row.captured_at,
            "updated_at": row.updated_at,
            "reason": row.reason,
            "message": row.message,
        },
        **(_payload(late_result, wants_json=False) if late_result is not None else {}),
    }


def write_captured(call_id: str, captured_at: datetime) -> dict[str, Any]:
    """Return the JSON of a call that was captured, and that the ledger knows nothing of."""
    return {
        "StatusCode": 200,
        "reprise": {
            "id": call_id,
            "state": State.CAPTURED.value,
            "captured_at": format_instant(captured_at),
            "message": "its line is on its way, or its row is older than the stack's RetentionDays",
        },
    }


def fill_status_url(template: str, captured: Captured) -> str:
    """Return where a captured call is asked for.

    Args:
        template: With `{id}`, and if need be `{token}`, where the call's own go.
        captured: The call.
    """
    # A key is its caller's own text, which may spell `#` or `&token=`.
    call_id = quote(captured.call_id, safe=_SAFE)
    values = {"{id}": call_id, "{token}": captured.status_token}
    # All at once: a value may spell another's name.
    names = "|".join(re.escape(name) for name in values)
    return re.sub(names, lambda match: values[match[0]], template)


def _payload(data: bytes, *, wants_json: bool) -> dict[str, Any]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"PayloadBase64": base64.b64encode(data).decode("ascii")}
    if wants_json:
        try:
            return {"Payload": json.loads(text)}
        except (ValueError, RecursionError):
            return {"Payload": text}
    return {"Payload": text}


def write_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON of how an invocation ended, without what is not known."""
    document: dict[str, Any] = msgspec.to_builtins(outcome)
    return {name: value for name, value in document.items() if value is not None}
