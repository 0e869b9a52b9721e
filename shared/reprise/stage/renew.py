"""Send a message afresh before SQS ends it: only the ledger ends a call.

A waiting call is delivered again and again, and nothing of that renews what SQS counts: it moves a message to
the dead-letter queue when it was received too often, and deletes it when it is too old.

Source: SQS developer guide, "Using dead-letter queues in Amazon SQS" (maxReceiveCount, retention).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.ports import OutMessage

if TYPE_CHECKING:
    from reprise.stage.delivery import Delivery

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
