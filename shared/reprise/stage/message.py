"""The replay message: one captured call on its way through the replay queue."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from reprise.errors import BadRecordError
from reprise.ledger.states import LedgerEvent  # noqa: TC001 - msgspec reads the annotation at run time
from reprise.record.decode import decode_record
from reprise.record.record import Record  # noqa: TC001 - as above


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended that the ledger could not be told of at the time."""

    owner: str
    """Who held the lease."""
    event: LedgerEvent
    changes: dict[str, Any]


class ReplayMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One captured call, and the object that it came in."""

    record: Record
    object: str | None = None
    """S3 URL of the capture object."""
    settlement: Settlement | None = None
    """Set when only the ledger is owed: the call is not to be invoked."""


def write_message(message: ReplayMessage) -> str:
    """Return a message's body: ASCII, because SQS refuses some of Unicode's characters."""
    return json.dumps(msgspec.to_builtins(message), separators=(",", ":"))


def read_message(body: str) -> ReplayMessage:
    """Return the message of a body.

    Raises:
        BadRecordError: `invalid_record`, naming the field.
    """
    try:
        document = json.loads(body)
        message = msgspec.convert(document, ReplayMessage)
    except (ValueError, RecursionError) as error:
        raise BadRecordError("invalid_record", f"replay message: {error}") from error
    decode_record(document["record"])
    return message
