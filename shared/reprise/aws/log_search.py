"""Read capture lines back from CloudWatch Logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.aws.fault import store_errors
from reprise.aws.inspector import FILTER_PATTERN
from reprise.monitor.lost_lines import LoggedLine, LogPage

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilterLogEventsRequestTypeDef


class LogGroupSearch:
    """The log groups of one account and region."""

    __slots__ = ("_client",)

    def __init__(self, client: CloudWatchLogsClient) -> None:
        """Ask by this client."""
        self._client = client

    def page(self, group: str, *, begin_ms: int, end_ms: int, token: str) -> LogPage:
        """Return the capture lines between two instants, up to 10,000 or 1 MB of them.

        A group that is not there has none: that its filter is missing, too, is told elsewhere.

        Source: CloudWatch Logs API reference, FilterLogEvents (a page may be empty and not the last; a token
        expires after 24 hours).
        """
        request: FilterLogEventsRequestTypeDef = {
            "logGroupName": group,
            "startTime": begin_ms,
            "endTime": end_ms,
            "filterPattern": FILTER_PATTERN,
        }
        if token:
            request["nextToken"] = token
        with store_errors("logs", "FilterLogEvents"):
            try:
                found = self._client.filter_log_events(**request)
            except self._client.exceptions.ResourceNotFoundException:
                return LogPage(lines=())
        lines = tuple(
            LoggedLine(text=event["message"], at_ms=event["timestamp"])
            for event in found.get("events", [])
        )
        return LogPage(lines=lines, token=found.get("nextToken", ""))
