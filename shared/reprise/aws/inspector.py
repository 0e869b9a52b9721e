"""Ask CloudWatch for alarms, CloudWatch Logs for filters, S3 for the quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from reprise.aws.fault import code_of, store_errors
from reprise.capturing.record import EVENT_NAME
from reprise.monitor.incidents import Alarm
from reprise.quarantine import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

FILTER_PATTERN: Final = f'{{ $.event = "{EVENT_NAME}" }}'
"""What the template's subscription filters select."""
_LOOK_BACK: Final = timedelta(minutes=40)
"""A function's longest timeout, and ten minutes for metrics that come late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorClients:
    """Clients of the services that are asked."""

    cloudwatch: CloudWatchClient
    logs: CloudWatchLogsClient
    s3: S3Client


class StackInspector:
    """The alarms and filters of one stack."""

    __slots__ = ("_alarms", "_bucket", "_clients", "_groups", "_stack")

    def __init__(
        self,
        clients: InspectorClients,
        *,
        stack: str,
        bucket: str,
        alarms: Sequence[str],
        log_groups: Sequence[str],
    ) -> None:
        """Watch these.

        Args:
            clients: Of the services that are asked.
            bucket: The stack's bucket.
            stack: Its name begins the alarms' names.
            alarms: Names of alarms, without the stack's; at most 100.
            log_groups: Log groups that capture lines come from.
        """
        self._clients = clients
        self._stack = stack
        self._bucket = bucket
        self._alarms = tuple(alarms)
        self._groups = tuple(log_groups)

    def alarms(self) -> Sequence[Alarm]:
        """Return the states of the alarms that there are."""
        names = [f"{self._stack}-{name}" for name in self._alarms]
        with store_errors("cloudwatch", "DescribeAlarms"):
            found = self._clients.cloudwatch.describe_alarms(
                AlarmNames=names, AlarmTypes=["MetricAlarm"]
            )
        return [
            Alarm(
                name=str(alarm["AlarmName"]).removeprefix(f"{self._stack}-"),
                state=str(alarm["StateValue"]),
                reason=str(alarm.get("StateReason", "")),
            )
            for alarm in found.get("MetricAlarms", [])
        ]

    def filters_missing(self) -> int:
        """Return how many log groups lack the filter, or have it with another pattern."""
        return sum(not self._is_subscribed(group) for group in self._groups)

    def quarantined(self) -> int:
        """Return how many objects are in quarantine, or 1,000 if there are more."""
        with store_errors("s3", "ListObjectsV2"):
            found = self._clients.s3.list_objects_v2(Bucket=self._bucket, Prefix=PREFIX)
        return found["KeyCount"]

    def has_succeeded(self, function: str, since: datetime, now: datetime) -> bool:
        """Tell whether an invocation of a function, whoever made it, succeeded in a full minute since then.

        Metrics come with a delay of a minute or two after an invocation has ended. They count it by when it
        began, so the minute in which the time lies is left out.

        Args:
            function: Its unqualified ARN.
            since: From when on.
            now: The present; the last 40 minutes are looked at.

        Source: Lambda developer guide, "Types of metrics for Lambda functions" (Invocations, Errors), "Using
        CloudWatch metrics with Lambda".
        """
        next_minute_at = (since + timedelta(minutes=1)).replace(second=0, microsecond=0)
        start_at = max(next_minute_at, now - _LOOK_BACK)
        if start_at >= now:
            return False
        name = function.rpartition(":")[2]
        queries: list[MetricDataQueryTypeDef] = [
            {
                "Id": metric.lower(),
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": metric,
                        "Dimensions": [{"Name": "FunctionName", "Value": name}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for metric in ("Invocations", "Errors")
        ]
        with store_errors("cloudwatch", "GetMetricData"):
            found = self._clients.cloudwatch.get_metric_data(
                MetricDataQueries=queries, StartTime=start_at, EndTime=now
            )
        counts = {
            result["Id"]: dict(zip(result["Timestamps"], result["Values"], strict=True))
            for result in found["MetricDataResults"]
        }
        errors = counts.get("errors", {})
        return any(
            count > errors.get(minute_at, 0.0)
            for minute_at, count in counts.get("invocations", {}).items()
        )

    def _is_subscribed(self, group: str) -> bool:
        with store_errors("logs", "DescribeSubscriptionFilters"):
            try:
                found = self._clients.logs.describe_subscription_filters(
                    logGroupName=group, filterNamePrefix=f"{self._stack}-capture"
                )
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                return False
        return any(
            subscription.get("filterName") == f"{self._stack}-capture"
            and subscription.get("filterPattern") == FILTER_PATTERN
            for subscription in found["subscriptionFilters"]
        )
