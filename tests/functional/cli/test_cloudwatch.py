"""The door to CloudWatch, on moto."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from reprise_cli.dashboard.charts import Query
from reprise_cli.dashboard.cloudwatch import CloudWatch
from reprise_cli.dashboard.expression.values import Grid
from reprise_cli.dashboard.model.rows import MetricKey
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudwatch import CloudWatchClient

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
GRID = Grid(start_s=int(START.timestamp()), end_s=int(START.timestamp()) + 300, period_s=60)
ORDERS = MetricKey(namespace="Reprise", name="Succeeded", dimensions=(("target", "orders"),))


@pytest.fixture
def client(aws_env: pytest.MonkeyPatch) -> Iterator[CloudWatchClient]:
    del aws_env
    with mock_aws():
        yield boto3.client("cloudwatch")


def put(client: CloudWatchClient, minute: int, value: float) -> None:
    client.put_metric_data(
        Namespace="Reprise",
        MetricData=[
            {
                "MetricName": "Succeeded",
                "Dimensions": [{"Name": "target", "Value": "orders"}],
                "Timestamp": START + timedelta(minutes=minute, seconds=5),
                "Value": value,
            }
        ],
    )


def test_values_come_at_the_chart_s_instants(client: CloudWatchClient) -> None:
    put(client, 1, 2.0)
    put(client, 1, 3.0)
    put(client, 3, 4.0)
    query = Query(metric=ORDERS, stat="Sum", grid=GRID)
    found = CloudWatch(client).fetch([query])[query]
    assert found == {GRID.start_s + 60: 5.0, GRID.start_s + 180: 4.0}


def test_a_metric_without_data_is_empty(client: CloudWatchClient) -> None:
    query = Query(metric=ORDERS, stat="Sum", grid=GRID)
    assert CloudWatch(client).fetch([query]) == {query: {}}


def test_metrics_are_listed_with_all_their_dimensions(client: CloudWatchClient) -> None:
    put(client, 1, 1.0)
    assert CloudWatch(client).list_metrics("Reprise") == [ORDERS]
    assert CloudWatch(client).list_metrics("Other") == []


def test_alarms_are_read_by_name(client: CloudWatchClient) -> None:
    client.put_metric_alarm(
        AlarmName="late",
        MetricName="Age",
        Namespace="Reprise",
        Period=60,
        EvaluationPeriods=1,
        Statistic="Maximum",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
    )
    client.set_alarm_state(AlarmName="late", StateValue="ALARM", StateReason="because")
    (alarm,) = CloudWatch(client).alarms({"late", "gone"})
    assert (alarm.name, alarm.state, alarm.reason) == ("late", "ALARM", "because")


def test_a_body_is_read_and_a_missing_dashboard_is_named(client: CloudWatchClient) -> None:
    client.put_dashboard(DashboardName="reprise", DashboardBody='{"widgets": []}')
    assert CloudWatch(client).body("reprise") == '{"widgets": []}'
    with pytest.raises(CommandError, match="no CloudWatch dashboard 'x'"):
        CloudWatch(client).body("x")
