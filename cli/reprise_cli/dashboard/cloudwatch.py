"""The one door to CloudWatch: the dashboard's body, its data, its alarms.

Source: Amazon CloudWatch API Reference, `GetDashboard`, `GetMetricData`, `ListMetrics`,
`DescribeAlarms`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise_cli.dashboard.drawing import AlarmState
from reprise_cli.dashboard.model.rows import MetricKey
from reprise_cli.dashboard.periods import asked_period_s
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient

    from reprise_cli.dashboard.charts import Query
    from reprise_cli.dashboard.expression.values import Grid

_MAX_QUERIES: Final = 500
_MAX_ALARMS: Final = 100


class CloudWatch:
    """Dashboards and metrics of one account and region; safe to use from several threads."""

    def __init__(self, client: CloudWatchClient) -> None:
        """Use this client."""
        self._client = client

    def body(self, name: str) -> str:
        """Return a dashboard's body.

        Raises:
            CommandError: If there is no such dashboard.
        """
        try:
            return self._client.get_dashboard(DashboardName=name)["DashboardBody"]
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in {"ResourceNotFound", "DashboardNotFoundError"}:
                raise
            raise CommandError(
                "dashboard",
                f"there is no CloudWatch dashboard {name!r}",
                "Deploy a version of the stack that has one, or name another with --name",
            ) from error

    def fetch(self, queries: Collection[Query]) -> Mapping[Query, Mapping[int, float]]:
        """Return values by instant for each query."""
        by_grid: dict[Grid, list[Query]] = defaultdict(list)
        for query in queries:
            by_grid[query.grid].append(query)
        found: dict[Query, dict[int, float]] = {query: {} for query in queries}
        for grid, several in by_grid.items():
            for first in range(0, len(several), _MAX_QUERIES):
                self._fetch(grid, several[first : first + _MAX_QUERIES], found)
        return found

    def _fetch(
        self, grid: Grid, queries: Sequence[Query], found: dict[Query, dict[int, float]]
    ) -> None:
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_asked(f"q{i}", query) for i, query in enumerate(queries)],
            StartTime=datetime.fromtimestamp(grid.start_s, UTC),
            EndTime=datetime.fromtimestamp(grid.end_s, UTC),
            ScanBy="TimestampAscending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                points = found[queries[int(result["Id"][1:])]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    # The period that holds a range's first instant may begin before it.
                    steps = max(0, (int(at.timestamp()) - grid.start_s) // grid.period_s)
                    points[grid.start_s + steps * grid.period_s] = value

    def list_metrics(self, namespace: str) -> Sequence[MetricKey]:
        """Return the metrics that a namespace has."""
        pages = self._client.get_paginator("list_metrics").paginate(Namespace=namespace)
        found = {
            MetricKey(
                namespace=namespace,
                name=metric["MetricName"],
                dimensions=tuple(sorted((d["Name"], d["Value"]) for d in metric["Dimensions"])),
            )
            for page in pages
            for metric in page["Metrics"]
        }
        return sorted(found, key=lambda metric: (metric.name, metric.dimensions))

    def alarms(self, names: Collection[str]) -> Sequence[AlarmState]:
        """Return how alarms stand."""
        asked, found = sorted(names), []
        for first in range(0, len(asked), _MAX_ALARMS):
            answer: Any = self._client.describe_alarms(
                AlarmNames=asked[first : first + _MAX_ALARMS],
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
            found += [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        return [
            AlarmState(
                name=alarm["AlarmName"],
                state=alarm.get("StateValue", "INSUFFICIENT_DATA"),
                reason=alarm.get("StateReason", ""),
            )
            for alarm in found
        ]


def _asked(query_id: str, query: Query) -> Any:  # noqa: ANN401 - the client's own shape
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": query.metric.namespace,
                "MetricName": query.metric.name,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in query.metric.dimensions
                ],
            },
            "Period": asked_period_s(query.grid),
            "Stat": query.stat,
        },
    }
