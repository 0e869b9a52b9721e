"""Wait until no copy of a call can run any more: before, no receipt says that it ran once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.aws.fault import store_errors
from reprise.aws.sqs import SqsQueueSize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_sqs import SQSClient

LOOK_S: Final = 1.0
EMPTY_LOOKS: Final = 3
"""Looks in a row that must find the queues empty: SQS counts by sampling, and one look can miss a message.

Source: SQS API reference, GetQueueAttributes (the counts are approximate).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Watches the queues that calls run from."""

    depths: Sequence[Callable[[], int]]
    """Messages of each queue: due, in work, and waiting."""
    limit_s: float
    """Visibility timeout of the replay queue: whoever worked on a message when we began has lost it then."""
    monotonic: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def wait(self) -> bool:
        """Return True once the queues are empty, and False after `limit_s`: others may use them, too.

        Raises:
            StoreError: If a queue cannot be asked.
        """
        until_s = self.monotonic() + self.limit_s
        empty = 0
        while empty < EMPTY_LOOKS:
            empty = 0 if any(depth() for depth in self.depths) else empty + 1
            if self.monotonic() >= until_s:
                return False
            self.sleep(LOOK_S)
        return True


def quiet_of(client: SQSClient, *, capture_url: str, replay_url: str) -> Quiet:
    """Return what watches the queues of a stack.

    Raises:
        StoreError: If the replay queue cannot be asked.
    """
    with store_errors("sqs", "GetQueueAttributes"):
        found = client.get_queue_attributes(
            QueueUrl=replay_url, AttributeNames=["VisibilityTimeout"]
        )
    return Quiet(
        # In the order that messages take: what leaves the first is found in the second.
        depths=(SqsQueueSize(client, capture_url), SqsQueueSize(client, replay_url)),
        limit_s=float(found["Attributes"]["VisibilityTimeout"]),
    )
