"""What a replayer is given: messages as SQS hands them over, and who replays them for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who replays a batch, and how long it has."""

    owner: str
    """Unique per batch, so that leases tell batches apart."""
    remaining_ms: Callable[[], int]
    """Milliseconds until this process is stopped."""


type Entry = tuple[Delivery, ReplayMessage]
type Group = list[Entry]
