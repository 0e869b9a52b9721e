"""What a replayer is given: messages as SQS hands them over, and who replays them for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise.stage.message import ReplayMessage


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
