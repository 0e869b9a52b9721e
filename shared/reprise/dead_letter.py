"""The dead letter: Lambda's own invocation record, with a `reprise` block added.

Tools that read Lambda's destinations read ours.

Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations" (the record's
fields); the conditions `RetriesExhausted` and `EventAgeExceeded` are Lambda's.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.given_up import NULL_JOBS, JobTeller
from reprise.instant import format_instant
from reprise.ports import OutMessage
from reprise.replies import NULL_REPLIES, Replies
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.call.outcome import Outcome
    from reprise.capturing.record import Record
    from reprise.events import EventPublisher
    from reprise.ledger import Row
    from reprise.ports import Ledger, Queue

_log = logging.getLogger(__name__)
MAX_LETTER_BYTES: Final = 1_000_000
"""Kept below SQS's 1 MiB per message, attributes included."""
_MAX_RESPONSE_BYTES: Final = 64 * 1024

CONDITIONS: Final = {
    Reason.EXHAUSTED: "RetriesExhausted",
    Reason.EXPIRED: "EventAgeExceeded",
    Reason.PERMANENT: "Permanent",
    Reason.UNKNOWN: "Unknown",
    Reason.KEY_CONFLICT: "KeyConflict",
    Reason.UNDELIVERABLE: "Undeliverable",
    Reason.CANCELLED: "Cancelled",
}
"""Why a call was given up, in Lambda's words where it has any."""


def dead_letter(record: Record, row: Row, *, now: datetime, response: bytes = b"") -> str:
    """Return the dead letter of a call that was given up, as ASCII JSON.

    Args:
        record: The call as captured; it travels along whole, so that a redrive needs nothing else.
        row: The call's row, `reason` and `message` set.
        now: When the letter is written.
        response: The target's last reply, if it gave one; left out beyond 64 KB.
    """
    reason = Reason(row.reason or Reason.PERMANENT)
    last = outcome_of_last(record, row)
    letter: dict[str, Any] = {
        "version": "1.0",
        "timestamp": format_instant(now),
        "requestContext": {
            "requestId": last.request_id or row.id,
            "functionArn": record.target.qualified,
            "condition": CONDITIONS[reason],
            "approximateInvokeCount": row.attempts,
        },
        "requestPayload": json_or_text(record.payload.inline),
        "responseContext": {
            "statusCode": last.status,
            "executedVersion": record.target.qualifier or "$LATEST",
            "functionError": last.function_error,
        },
        "responsePayload": json_or_text(_decode(response)),
        "reprise": {
            "id": row.id,
            "reason": reason.value,
            "message": row.message,
            "attempts": row.attempts,
            "refusals": row.refusals,
            "history": msgspec.to_builtins(row.history),
            "object": row.capture_object,
            "record": msgspec.to_builtins(record),
        },
    }
    text = json.dumps(letter, separators=(",", ":"))
    if len(text) > MAX_LETTER_BYTES:
        # The record holds the payload already, in the form that a redrive sends.
        letter["requestPayload"] = None
        text = json.dumps(letter, separators=(",", ":"))
    return text


def outcome_of_last(record: Record, row: Row) -> Outcome:
    """Return how the last try that was kept ended: the caller's own, if there was none since."""
    return row.history[-1].outcome if row.history else record.outcome


def _decode(response: bytes) -> str | None:
    if not response or len(response) > _MAX_RESPONSE_BYTES:
        return None
    return response.decode("utf-8", "replace")


def json_or_text(text: str | None) -> object:
    """Return what a text says as JSON; as text if it is none in the strict sense (NaN, 1e999)."""
    if text is None:
        return None
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSender:
    """Sends dead letters, and tells of them."""

    dead_letters: Queue
    ledger: Ledger
    publisher: EventPublisher
    replies: Replies = NULL_REPLIES
    jobs: JobTeller = NULL_JOBS

    def send(self, record: Record, row: Row, *, now: datetime, response: bytes = b"") -> None:
        """Send a dead letter, note that it is sent, and tell of it.

        Raises:
            StoreError: If the letter is not known to be sent: it must be sent again, and may then come twice.
        """
        # First: one that comes twice is known by whoever delivers it, and a letter is not.
        self.replies.tell(record)
        self.jobs.tell(record, row, outcome_of_last(record, row))
        letter = dead_letter(record, row, now=now, response=response)
        attributes = {"call_id": row.id, "reason": row.reason or "", "target": row.target}
        self.dead_letters.send([OutMessage(body=letter, attributes=attributes)])
        self.ledger.mark_letter_sent(row.id, opened_at=row.opened_at)
        self.publisher.dead_lettered(record, row, now)
        about = {"call_id": row.id, "target": row.target, "reason": row.reason}
        _log.warning("call was given up", extra=about)
