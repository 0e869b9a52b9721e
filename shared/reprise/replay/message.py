"""The replay message: one captured call, as SQS hands it over and takes it back.

Its record bears the MAC of whoever captured it, and what the replayer adds to it bears the pipeline's.

A waiting call is delivered again and again, and nothing of that renews what SQS counts: it moves a message to
the dead-letter queue when it was received too often, and deletes it when it is too old. So a message is sent
afresh before that.

Source: SQS developer guide, "Using dead-letter queues in Amazon SQS" (maxReceiveCount, retention).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.capturing.line import check_record
from reprise.capturing.record import (
    Mac,
    Record,
)
from reprise.capturing.signature import authenticate_own
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError
from reprise.gate.samples import Sample
from reprise.ledger import LedgerEvent
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise.capturing.signature import MacKeys
    from reprise.ports import Keyring

_DOMAIN: Final = "reprise.settlement.1"


class PendingUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended that the ledger could not be told of at the time."""

    owner: str
    """Who held the lease."""
    event: LedgerEvent
    changes: dict[str, Any]
    mac: Mac | None = None


class ReplayMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One captured call, and the object that it came in."""

    record: Record
    object: str | None = None
    """S3 URL of the capture object."""
    settlement: PendingUpdate | None = None
    """Set when only the ledger is owed: the call is not to be invoked."""


def write_message(message: ReplayMessage) -> str:
    """Return a message's body: ASCII, because SQS refuses some of Unicode's characters."""
    return json.dumps(msgspec.to_builtins(message), separators=(",", ":"))


def with_settlement(message: ReplayMessage, owed: PendingUpdate, keys: MacKeys) -> ReplayMessage:
    """Return a message that tells only the ledger, as signed by the pipeline's keys."""
    mac = keys.sign(_content(message, owed), _DOMAIN)
    return msgspec.structs.replace(message, settlement=msgspec.structs.replace(owed, mac=mac))


def read_authentic(body: str, keyring: Keyring) -> ReplayMessage:
    """Return the message of a body, if all of it is authentic.

    Raises:
        BadRecordError: `invalid_record`, naming the field; `bad_mac`; or `target_not_allowed`, if its source
            may not sign for its target.
        StoreError: If the keys cannot be had now.
    """
    message = read_message(body)
    check_record(message.record, keyring)
    owed = message.settlement
    if owed is not None:
        authenticate_own(_content(message, owed), owed.mac, keyring, _DOMAIN)
    return message


def read_message(body: str) -> ReplayMessage:
    """Return the message of a body, authentic or not.

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


def _content(message: ReplayMessage, owed: PendingUpdate) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(owed)
    del content["mac"]
    return content | {"id": message.record.id, "object": message.object}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as SQS handed it over."""

    message_id: str
    receipt_handle: str
    """New at each delivery, also of one message twice in one batch (SQS API reference, ReceiveMessage)."""
    body: str
    receive_count: int = 1
    """Times that SQS has handed this message over, this one included."""
    sent_at_ms: int = 0
    """When it was sent, in milliseconds since the epoch; 0 if that is not known."""


def read_deliveries(event: Mapping[str, Any]) -> list[Delivery]:
    """Return the messages of a batch as Lambda's event source mapping hands it over.

    Source: Lambda developer guide, "Using Lambda with Amazon SQS", the example event.
    """
    return [
        Delivery(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            sent_at_ms=int(record["attributes"]["SentTimestamp"]),
        )
        for record in event["Records"]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who replays a batch, and how long it has."""

    owner: str
    """Unique per batch, so that leases tell batches apart."""
    remaining_ms: Callable[[], int]
    """Milliseconds until this process is stopped."""


type Entry = tuple[Delivery, ReplayMessage]
type Group = list[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The message may be deleted."""

    sample: Sample = field(default_factory=Sample)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack:
    """The message must come again after a wait."""

    wait_s: float
    sample: Sample = field(default_factory=Sample)


Disposition = Ack | Nack


RENEW_RECEIVES: Final = 500
"""Half of the queue's maxReceiveCount: the other half is for crashes, which renew nothing."""
RENEW_AGE_MS: Final = 5 * 86_400_000
"""Half of the queue's retention: the longest wait of one delivery is twelve hours."""
LONGEST_DELAY_S: Final = 900
"""SQS API reference, SendMessage: the longest DelaySeconds. A call that comes sooner than its backoff is sent
away by the ledger, which knows when it is due."""


def is_spent(delivery: Delivery, now_ms: int) -> bool:
    """Tell whether a message must be sent afresh rather than given back."""
    is_old = delivery.sent_at_ms > 0 and now_ms - delivery.sent_at_ms >= RENEW_AGE_MS
    return is_old or delivery.receive_count >= RENEW_RECEIVES


def renewed(delivery: Delivery, group: str | None, wait_s: float) -> OutMessage:
    """Return the message that takes a spent one's place.

    Args:
        delivery: The spent one.
        group: Its target's name; None for what cannot be read.
        wait_s: Seconds until it is to come again.
    """
    return OutMessage(
        body=delivery.body, group=group, delay_s=min(LONGEST_DELAY_S, max(0, round(wait_s)))
    )
