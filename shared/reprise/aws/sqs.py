"""Send to and give back to one SQS queue, and count its messages; every `Failed` entry is dealt with."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import TYPE_CHECKING, Any, Final

from reprise.aws.fault import store_errors
from reprise.errors import StoreError
from reprise.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

    from reprise.ports import OutMessage

_log = logging.getLogger(__name__)
MAX_ENTRIES: Final = 10
MAX_BATCH_BYTES: Final = 1024 * 1024
"""SQS quotas: ten entries, and 1 MiB for all of them together."""


def batches(sizes_bytes: Sequence[int]) -> Iterator[range]:
    """Yield the index ranges of batches, in order, each as full as it may be.

    A single entry over the limit gets a batch of its own: the service is the one to refuse it.
    """
    start = total_bytes = 0
    for index, size_bytes in enumerate(sizes_bytes):
        is_full = index - start == MAX_ENTRIES or total_bytes + size_bytes > MAX_BATCH_BYTES
        if index > start and is_full:
            yield range(start, index)
            start, total_bytes = index, 0
        total_bytes += size_bytes
    if start < len(sizes_bytes):
        yield range(start, len(sizes_bytes))


_ROUNDS: Final = 3
MAX_VISIBILITY_S: Final = 43_200
"""SQS API reference, ChangeMessageVisibility: 12 hours from receipt; an hour is kept as margin."""
_VISIBILITY_LIMIT_S: Final = MAX_VISIBILITY_S - 3_600
MAX_GROUP: Final = 128
_DIGEST: Final = 32


class SqsQueue:
    """One queue."""

    __slots__ = ("_client", "_url")

    def __init__(self, client: SQSClient, url: str) -> None:
        """Use the queue of this URL."""
        self._client = client
        self._url = url

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Send all messages, in batches of ten and 1 MiB.

        Raises:
            StoreError: If any of them was not accepted in three rounds, with SQS's code for the first; others
                may have been.
        """
        left, code = list(messages), ""
        for _ in range(_ROUNDS):
            failed = [
                each
                for batch in batches([_size_bytes(message) for message in left])
                for each in self._send_batch([left[index] for index in batch])
            ]
            if not failed:
                return
            left, code = [message for message, _ in failed], failed[0][1]
        raise StoreError("sqs", "SendMessageBatch", code, f"{len(left)} messages were not accepted")

    def _send_batch(self, messages: Sequence[OutMessage]) -> list[tuple[OutMessage, str]]:
        """Send one batch; return the messages that were not accepted, and why."""
        entries: Any = [_entry(index, message) for index, message in enumerate(messages)]
        with store_errors("sqs", "SendMessageBatch"):
            response = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        failed = response.get("Failed", [])
        for entry in failed:
            _log.warning("message was not accepted", extra={"code": entry.get("Code")})
        return [(messages[int(entry["Id"])], entry.get("Code", "Failed")) for entry in failed]

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        """Let messages reappear after their waits, by receipt handle; best effort.

        A message whose wait cannot be set reappears at the queue's own visibility timeout: later
        than asked, and not lost.
        """
        left = list(waits_s)
        for _ in range(_ROUNDS):
            left = [
                handle
                for start in range(0, len(left), MAX_ENTRIES)
                for handle in self._change(left[start : start + MAX_ENTRIES], waits_s)
            ]
            if not left:
                return
        _log.warning("waits could not be set", extra={"messages": len(left)})

    def _change(self, handles: Sequence[str], waits_s: Mapping[str, float]) -> list[str]:
        entries: Any = [
            {
                "Id": str(index),
                "ReceiptHandle": handle,
                "VisibilityTimeout": min(_VISIBILITY_LIMIT_S, max(0, math.ceil(waits_s[handle]))),
            }
            for index, handle in enumerate(handles)
        ]
        try:
            with store_errors("sqs", "ChangeMessageVisibilityBatch"):
                response = self._client.change_message_visibility_batch(
                    QueueUrl=self._url, Entries=entries
                )
        except StoreError:
            _log.warning("waits could not be set now", exc_info=True)
            return list(handles)
        # The sender's own mistakes (a receipt handle that has expired) do not heal by repetition.
        return [
            handles[int(entry["Id"])]
            for entry in response.get("Failed", [])
            if not entry.get("SenderFault")
        ]


class NamedQueue:
    """A queue that is looked for by its name when it is first sent to."""

    __slots__ = ("_client", "_found", "_name", "_owner")

    def __init__(self, client: SQSClient, name: str, owner: str | None = None) -> None:
        """Look for the queue of this name, of another account if one is named."""
        self._client = client
        self._name = name
        self._owner = owner
        self._found: SqsQueue | None = None

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Send all messages.

        Raises:
            StoreError: As `SqsQueue.send`, or if the queue is not found.
        """
        self._queue().send(messages)

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        """Let messages reappear after their waits; see `SqsQueue.give_back`."""
        self._queue().give_back(waits_s)

    def _queue(self) -> SqsQueue:
        if self._found is None:
            owner: Any = {} if self._owner is None else {"QueueOwnerAWSAccountId": self._owner}
            with store_errors("sqs", "GetQueueUrl"):
                url = self._client.get_queue_url(QueueName=self._name, **owner)["QueueUrl"]
            self._found = SqsQueue(self._client, url)
        return self._found


def _entry(index: int, message: OutMessage) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": str(index), "MessageBody": message.body}
    if message.group is not None:
        entry["MessageGroupId"] = group_id(message.group)
    if message.delay_s:
        entry["DelaySeconds"] = message.delay_s
    if attributes := _attributes(message):
        entry["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
    return entry


def group_id(group: str) -> str:
    """Return a group's name as SQS takes it: of at most 128 characters, and another one for another group.

    Source: SQS API reference, SendMessage, MessageGroupId.
    """
    if len(group) <= MAX_GROUP:
        return group
    digest = hashlib.sha256(group.encode()).hexdigest()[:_DIGEST]
    return f"{group[: MAX_GROUP - _DIGEST - 1]}~{digest}"


def _attributes(message: OutMessage) -> dict[str, str]:
    """Return what is sent of the attributes: no empty one, and no character that SQS refuses.

    One that it refused would come again until the queue gives it up: reasons are the words of others.

    Source: SQS API reference, SendMessage, "A message can include only XML, JSON, and unformatted text".
    """
    found = (message.attributes or {}).items()
    return {name: printable(value) for name, value in found if value}


def _size_bytes(message: OutMessage) -> int:
    """Return what SQS counts: the body, and names, types and values of the attributes."""
    attributes = _attributes(message)
    return len(message.body.encode()) + sum(
        len(name) + len("String") + len(value.encode()) for name, value in attributes.items()
    )


_DEPTHS: Final[tuple[QueueAttributeNameType, ...]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class SqsQueueSize:
    """Counts the messages of one queue."""

    __slots__ = ("_client", "_url")

    def __init__(self, client: SQSClient, url: str) -> None:
        """Use the queue of this URL."""
        self._client = client
        self._url = url

    def __call__(self) -> int:
        """Return how many there are: due, in work, and waiting."""
        with store_errors("sqs", "GetQueueAttributes"):
            found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=_DEPTHS)
        return sum(int(found["Attributes"][name]) for name in _DEPTHS)
