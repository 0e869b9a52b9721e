"""The one door to CloudWatch: the dashboard's body, its data, its alarms.

Source: Amazon CloudWatch API Reference, `GetDashboard`, `GetMetricData`, `DescribeAlarms`.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise_cli.dashboard.asking import MetricAnswer, MetricResult
from reprise_cli.dashboard.drawing import AlarmState
from reprise_cli.dashboard.periods import asked_period_s
from reprise_cli.exits import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataResultTypeDef

    from reprise_cli.dashboard.asking import MetricRequest, Query
    from reprise_cli.dashboard.periods import Grid

_MAX_QUERIES: Final = 500
_MAX_ALARMS: Final = 100
_AT_ONCE: Final = 8
"""Requests at a time: a dashboard has one for each of its charts."""
_REFUSALS: Final = frozenset(
    {
        "ValidationError",
        "InvalidParameterCombination",
        "InvalidParameterCombinationException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
    }
)
"""How CloudWatch says that a request makes no sense to it."""
_FAILED: Final = frozenset({"InternalError", "Forbidden"})


class CloudWatch:
    """Dashboards and metrics of one account and region; safe to use from several threads."""

    def __init__(self, client: CloudWatchClient) -> None:
        """Use this client."""
        self._client = client

    def body(self, name: str) -> str:
        """Return a dashboard's body.

        Raises:
            NotFoundError: If there is no such dashboard.
        """
        try:
            return self._client.get_dashboard(DashboardName=name)["DashboardBody"]
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in {"ResourceNotFound", "DashboardNotFoundError"}:
                raise
            raise NotFoundError(
                "dashboard",
                f"there is no CloudWatch dashboard {name!r}",
                "Deploy a version of the stack that has one, or name another with --name",
            ) from error

    def ask(self, requests: Sequence[MetricRequest]) -> list[MetricAnswer]:
        """Return the answer of each request.

        Where CloudWatch refuses a request for one of its expressions, the metrics are there all the same.
        """
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(self._answer, requests))

    def _answer(self, request: MetricRequest) -> MetricAnswer:
        try:
            return MetricAnswer(results=self._results(request.grid, request.queries))
        except ClientError as error:
            told = error.response.get("Error", {})
            has_expression = any(query.expression is not None for query in request.queries)
            if not has_expression or str(told.get("Code", "")) not in _REFUSALS:
                raise
            metrics = tuple(
                query for query in request.queries if query.expression is None and query.is_shown
            )
            return MetricAnswer(
                results=self._results(request.grid, metrics) if metrics else (),
                problem=str(told.get("Message", "")),
            )

    def _results(self, grid: Grid, queries: Sequence[Query]) -> tuple[MetricResult, ...]:
        found: dict[tuple[str, str, int], MetricResult] = {}
        for first in range(0, len(queries), _MAX_QUERIES):
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[
                    _asked(query, grid) for query in queries[first : first + _MAX_QUERIES]
                ],
                StartTime=datetime.fromtimestamp(grid.start_s, UTC),
                EndTime=datetime.fromtimestamp(grid.end_s, UTC),
                ScanBy="TimestampAscending",
            )
            for page in pages:
                # A page goes on with the series of the one before; two in one page are two.
                seen: Counter[tuple[str, str]] = Counter()
                for told in page["MetricDataResults"]:
                    result = _result(told, grid)
                    name = (result.id, result.label)
                    key = (*name, seen[name])
                    seen[name] += 1
                    earlier = found[key].points if key in found else {}
                    found[key] = replace(result, points={**earlier, **result.points})
        return tuple(found.values())

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


def _asked(query: Query, grid: Grid) -> Any:  # noqa: ANN401 - the client's own shape
    asked: dict[str, Any] = {"Id": query.id, "ReturnData": query.is_shown}
    if query.label is not None:
        asked["Label"] = query.label
    if query.metric is None:
        return asked | {"Expression": query.expression, "Period": asked_period_s(grid)}
    return asked | {
        "MetricStat": {
            "Metric": {
                "Namespace": query.metric.namespace,
                "MetricName": query.metric.name,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in query.metric.dimensions
                ],
            },
            "Period": asked_period_s(grid),
            "Stat": query.stat,
        },
    }


def _result(told: MetricDataResultTypeDef, grid: Grid) -> MetricResult:
    points: dict[int, float] = {}
    for at, value in zip(told["Timestamps"], told["Values"], strict=True):
        # The period that holds a range's first instant may begin before it.
        steps = max(0, (int(at.timestamp()) - grid.start_s) // grid.period_s)
        points[grid.start_s + steps * grid.period_s] = value
    problem = None
    if told.get("StatusCode") in _FAILED:
        said = "; ".join(message["Value"] for message in told.get("Messages", []))
        problem = said or str(told["StatusCode"])
    return MetricResult(id=told["Id"], label=told.get("Label", ""), points=points, problem=problem)
