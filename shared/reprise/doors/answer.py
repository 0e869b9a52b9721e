"""Tell a front door's sender what became of its call, as its kind is told: pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, assert_never

from reprise.call.outcome import OutcomeKind
from reprise.capturing.answer import fill_status_url
from reprise.capturing.kept import kept_message, what_happened
from reprise.doors.sender import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.call.outcome import Outcome
    from reprise.capturing.invoker import Answer, Captured
    from reprise.doors.sending import Sending
    from reprise.errors import BadRequestError

LOOK_AGAIN_S: Final = 60
"""When a captured call may have an end: its line is gathered for a minute, by default."""
TRY_AGAIN_S: Final = 5
"""When to try again what was refused, where Lambda did not say."""
_NOT_CAPTURED: Final = "Reprise.NotCaptured"
_STATUS: Final = {
    OutcomeKind.THROTTLED: HTTPStatus.SERVICE_UNAVAILABLE,
    OutcomeKind.TRANSIENT: HTTPStatus.SERVICE_UNAVAILABLE,
    OutcomeKind.UNKNOWN: HTTPStatus.GATEWAY_TIMEOUT,
}
"""HTTP status of what was not captured; 502 for the rest. Who may try again is told when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorAnswer:
    """What goes back through a door."""

    payload: bytes
    error_type: str | None = None
    """Set if the invocation is to fail, with the payload for its error."""


def answer_door(sending: Sending, event: bytes, answer: Answer, status_url: str) -> DoorAnswer:
    """Return the target's own reply untouched, or what the sender's kind is told instead.

    Args:
        sending: Who sent it.
        event: What came.
        answer: What became of the call.
        status_url: With `{id}`, and if need be `{token}`, where the call's own go.
    """
    outcome = answer.reply.outcome
    if answer.captured is not None:
        return _captured(sending, event, outcome, answer.captured, status_url)
    if outcome.kind is OutcomeKind.SUCCEEDED:
        return DoorAnswer(payload=answer.reply.payload)
    if outcome.kind is OutcomeKind.FUNCTION_ERROR and answer.refused is None:
        return DoorAnswer(payload=answer.reply.payload, error_type=outcome.code or "Unknown")
    return _not_captured(sending, answer)


def _captured(
    sending: Sending, event: bytes, outcome: Outcome, captured: Captured, status_url: str
) -> DoorAnswer:
    call_id, url = captured.call_id, fill_status_url(status_url, captured)
    document = {
        "errorType": sending.sender.error_type,
        "errorMessage": kept_message(outcome, call_id),
        "reprise": {
            "id": call_id,
            "outcome": _said_of(outcome),
            "status_token": captured.status_token,
            "status_url": url,
        },
    }
    match sending.sender.way:
        case Way.HTTP | Way.ALB:
            headers = {"Location": url, "Retry-After": str(LOOK_AGAIN_S), "X-Reprise-Id": call_id}
            return _http(sending, HTTPStatus.ACCEPTED, headers, document)
        case Way.ERROR:
            return DoorAnswer(payload=_json(document), error_type=sending.sender.error_type)
        case Way.TOKEN:
            return DoorAnswer(payload=_json({"reprise": document["reprise"]}))
        case Way.EVENT:
            return DoorAnswer(payload=event)
        case _:
            assert_never(sending.sender.way)


def refuse_door(sending: Sending, error: BadRequestError) -> DoorAnswer:
    """Return what a sender is told whose call was not made."""
    document = {"errorType": "Reprise.BadRequest", "errorMessage": str(error)}
    if sending.sender.way in (Way.HTTP, Way.ALB):
        return _http(sending, error.status, {}, document)
    return DoorAnswer(payload=_json(document), error_type=document["errorType"])


def _not_captured(sending: Sending, answer: Answer) -> DoorAnswer:
    """Return how a call failed that nothing is kept of."""
    outcome = answer.reply.outcome
    is_http = sending.sender.way in (Way.HTTP, Way.ALB)
    why = answer.not_captured or (None if sending.may_keep else "a replay would be of no use")
    if answer.not_captured is not None and answer.refused is None and is_http:
        # The fault of a store of ours, which names things that are nobody's business.
        why = "it could not be kept"
    error_type = _NOT_CAPTURED if is_http else _lambdas_name(outcome)
    document = {
        "errorType": error_type,
        "errorMessage": f"{what_happened(outcome)}; nothing is kept of the call, and nothing replayed",
        "reprise": {"captured": False, "reason": why, "outcome": _said_of(outcome)},
    }
    if not is_http:
        return DoorAnswer(payload=_json(document), error_type=error_type)
    headers = {"X-Reprise-Not-Captured": "read" if sending.is_read else "true"}
    if answer.refused is not None:
        return _http(sending, answer.refused.status, headers, document)
    status = _STATUS.get(outcome.kind, HTTPStatus.BAD_GATEWAY)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(math.ceil(outcome.retry_after_s or TRY_AGAIN_S))
    return _http(sending, status, headers, document)


def _http(
    sending: Sending, status: int, headers: Mapping[str, str], document: Mapping[str, Any]
) -> DoorAnswer:
    """Return an HTTP response as a gateway or a load balancer takes it from a function."""
    named = {"Content-Type": "application/json", "Cache-Control": "no-store", **headers}
    response: dict[str, Any] = {
        "statusCode": int(status),
        "body": _json(document).decode(),
        "isBase64Encoded": False,
    }
    if sending.sender.way is Way.ALB:
        response["statusDescription"] = f"{int(status)} {HTTPStatus(status).phrase}"
    if sending.sender.way is Way.ALB and sending.has_multi_values:
        response["multiValueHeaders"] = {name: [value] for name, value in named.items()}
    else:
        response["headers"] = named
    return DoorAnswer(payload=_json(response))


def _lambdas_name(outcome: Outcome) -> str:
    """Return what Step Functions calls an invocation's failure, so that a state's own Retry knows it.

    Source: Step Functions developer guide, "Handle transient Lambda service exceptions".
    """
    if outcome.status is not None and outcome.code is not None:
        return f"Lambda.{outcome.code}"
    if outcome.kind is OutcomeKind.UNKNOWN:
        return "Lambda.Unknown"
    return "Lambda.SdkClientException"


def _said_of(outcome: Outcome) -> dict[str, Any]:
    said = {
        "kind": outcome.kind.value,
        "code": outcome.code,
        "reason": outcome.reason,
        "status": outcome.status,
    }
    return {name: value for name, value in said.items() if value is not None}


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
