"""Look through an SQS queue without losing a message: receive, hold for a while, give back."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from reprise.aws.fault import store_errors
from reprise.aws.sqs import SqsQueue
from reprise_letters.letter import read_letter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

    from reprise_letters.letter import Letter

HOLD_S: Final = 60
"""How long a message is hidden from others; renewed while we look, and short if we crash."""
LONGEST_HOLD_S: Final = 600
_LEFT_S: Final = 20
"""What is hidden for no longer than this is renewed."""
_HELD_PER_S: Final = 100
"""Messages in hand for which each is hidden a second longer: renewing 100,000 every half minute would leave
time for nothing else."""
_BATCH: Final = 10
_LOOK_S: Final = 1
"""Long polling asks every server of a queue; short polling can miss messages."""
_EMPTY_LOOKS: Final = 3
"""Looks without a message before we believe them against the queue's own count."""
_ROUNDS: Final = 3


@dataclass(slots=True, kw_only=True)
class Held:
    """A letter in our hands; only its handle: a queue of 100,000 must not be held in memory."""

    handle: str
    until_s: float
    """When SQS gives it to others, on our monotonic clock."""


class Browser(AbstractContextManager["Browser"]):
    """One look through one queue; leaving it gives back whatever was not deleted."""

    def __init__(
        self,
        client: SQSClient,
        url: str,
        *,
        is_capture: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look through the queue of this URL."""
        self._client = client
        self._url = url
        self._is_capture = is_capture
        self._monotonic = monotonic
        self._held: dict[str, Held] = {}
        self._renew_at_s = float("inf")

    def __enter__(self) -> Self:
        """Begin; nothing is received yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is held, also after an error."""
        waits_s = dict.fromkeys((held.handle for held in self._held.values()), 0.0)
        SqsQueue(self._client, self._url).give_back(waits_s)
        self._held.clear()

    def letters(self) -> Iterator[list[Letter]]:
        """Yield the queue's letters in batches, each letter once, until no more is seen.

        Raises:
            StoreError: If the queue cannot be read.
        """
        empty = 0
        while empty < _EMPTY_LOOKS:
            self.renew()
            batch = self._receive()
            if batch:
                empty = 0
                yield batch
            elif self._is_empty():
                return
            else:
                empty += 1

    def _is_empty(self) -> bool:
        return self.count_visible() == 0

    def count_visible(self) -> int:
        """Return how many messages there are that nobody has in hand; approximate.

        Raises:
            StoreError: If the queue cannot be asked.
        """
        return self._count("ApproximateNumberOfMessages")

    def count_hidden(self) -> int:
        """Return how many messages somebody has in hand, we among them; approximate.

        Raises:
            StoreError: If the queue cannot be asked.
        """
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def _count(
        self, name: Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    ) -> int:
        with store_errors("sqs", "GetQueueAttributes"):
            response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(response["Attributes"][name])

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete letters in our hands; return those that are still in the queue."""
        left = list(letters)
        for _ in range(_ROUNDS):
            left = [
                letter
                for start in range(0, len(left), _BATCH)
                for letter in self._delete_batch(left[start : start + _BATCH])
            ]
            if not left:
                break
        return left

    def _delete_batch(self, batch: Sequence[Letter]) -> list[Letter]:
        handles = [self._held[letter.message_id].handle for letter in batch]
        entries: Any = [
            {"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(handles)
        ]
        with store_errors("sqs", "DeleteMessageBatch"):
            response = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        failed = {int(entry["Id"]) for entry in response.get("Failed", [])}
        for index, letter in enumerate(batch):
            if index not in failed:
                self._held.pop(letter.message_id, None)
        return [batch[index] for index in sorted(failed)]

    def _receive(self) -> list[Letter]:
        hold_s = self._hold_s()
        with store_errors("sqs", "ReceiveMessage"):
            response = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=hold_s,
                WaitTimeSeconds=_LOOK_S,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        until_s = self._monotonic() + hold_s
        self._renew_at_s = min(self._renew_at_s, until_s - _LEFT_S)
        found: list[Letter] = []
        for message in response.get("Messages", []):
            raw: Any = message
            letter = read_letter(raw, is_capture=self._is_capture)
            # SQS may hand a message out twice; only the newest handle is good for a deletion.
            if letter.message_id not in self._held:
                found.append(letter)
            self._held[letter.message_id] = Held(handle=raw["ReceiptHandle"], until_s=until_s)
        return found

    def renew(self) -> None:
        """Hold for longer what would soon be seen by others, and so by us again."""
        now_s = self._monotonic()
        if now_s < self._renew_at_s:
            return
        # Some more than must be: each look at what is in hand goes through all of it.
        ending = [held for held in self._held.values() if held.until_s - now_s < 2 * _LEFT_S]
        hold_s = self._hold_s()
        waits_s = dict.fromkeys((held.handle for held in ending), float(hold_s))
        SqsQueue(self._client, self._url).give_back(waits_s)
        for held in ending:
            held.until_s = now_s + hold_s
        first_s = min((held.until_s for held in self._held.values()), default=float("inf"))
        self._renew_at_s = first_s - _LEFT_S

    def _hold_s(self) -> int:
        return min(LONGEST_HOLD_S, HOLD_S + len(self._held) // _HELD_PER_S)
