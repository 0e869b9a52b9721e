"""Write capture lines straight into a log group: for processes whose standard output nobody reads."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from reprise.aws.fault import store_errors
from reprise.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

    from reprise.ports import Clock


class LogGroup:
    """A log stream of this process's own in one group; safe to use from several threads."""

    __slots__ = ("_client", "_clock", "_group", "_stream")

    def __init__(self, client: CloudWatchLogsClient, group: str, stream: str, clock: Clock) -> None:
        """Write to this stream, which is made when it is first missed."""
        self._client = client
        self._group = group
        self._stream = stream
        self._clock = clock

    def __call__(self, line: str, /) -> None:
        """Write one line, whole, now.

        Raises:
            StoreError: If CloudWatch Logs has not said that it has it; after a time-out it may have it.

        Source: CloudWatch Logs API reference, PutLogEvents, CreateLogStream.
        """
        with store_errors("logs", "PutLogEvents"):
            try:
                self._put(line)
            except self._client.exceptions.ResourceNotFoundException:
                self._make_stream()
                self._put(line)

    def _put(self, line: str) -> None:
        response = self._client.put_log_events(
            logGroupName=self._group,
            logStreamName=self._stream,
            logEvents=[
                {"timestamp": round(self._clock().timestamp() * 1000), "message": line},
            ],
        )
        rejected = response.get("rejectedLogEventsInfo")
        if rejected:
            raise StoreError(
                "logs", "PutLogEvents", "Rejected", f"is this process's clock right? {rejected}"
            )

    def _make_stream(self) -> None:
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
