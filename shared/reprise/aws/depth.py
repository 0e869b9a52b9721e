"""Ask SQS how many messages a queue holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.aws.fault import store_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_DEPTHS: Final[tuple[QueueAttributeNameType, ...]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class QueueDepth:
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
