"""The door to CloudWatch, on moto."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from reprise_cli.dashboard.asking import MetricRequest, Query
from reprise_cli.dashboard.cloudwatch import CloudWatch
from reprise_cli.dashboard.model.rows import SeriesKey
from reprise_cli.dashboard.periods import Grid
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudwatch import CloudWatchClient

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
GRID = Grid(start_s=int(START.timestamp()), end_s=int(START.timestamp()) + 300, period_s=60)
ORDERS = SeriesKey(namespace="Reprise", name="Succeeded", dimensions=(("target", "orders"),))


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


def metrics(client: CloudWatchClient) -> Mapping[int, float]:
    query = Query(id="m", metric=ORDERS, stat="Sum")
    (answer,) = CloudWatch(client).ask([MetricRequest(grid=GRID, queries=(query,))])
    (result,) = answer.results
    return result.points


def test_values_come_at_the_chart_s_instants(client: CloudWatchClient) -> None:
    put(client, 1, 2.0)
    put(client, 1, 3.0)
    put(client, 3, 4.0)
    assert metrics(client) == {GRID.start_s + 60: 5.0, GRID.start_s + 180: 4.0}


def test_a_metric_without_data_is_empty(client: CloudWatchClient) -> None:
    assert metrics(client) == {}


def result(query_id: str, label: str, **fields: object) -> dict[str, Any]:
    at = datetime.fromtimestamp(GRID.start_s, UTC)
    return {"Id": query_id, "Label": label, "Timestamps": [at], "Values": [1.0]} | fields


MIXED = MetricRequest(
    grid=GRID,
    queries=(
        Query(id="a", metric=ORDERS, stat="Sum", is_shown=False),
        Query(id="b", metric=ORDERS, stat="Sum", label="named"),
        Query(id="e", expression="LOG(a)", label="${LABEL}"),
    ),
)
ONE_METRIC = MetricRequest(grid=GRID, queries=MIXED.queries[1:2])


@pytest.fixture
def stubbed(aws_env: pytest.MonkeyPatch) -> Iterator[tuple[CloudWatchClient, Stubber]]:
    del aws_env
    client = boto3.client("cloudwatch")
    with Stubber(client) as stubber:
        yield client, stubber


def asked(*queries: dict[str, Any]) -> dict[str, Any]:
    times = (datetime.fromtimestamp(at, UTC) for at in (GRID.start_s, GRID.end_s))
    start, end = times
    return {
        "MetricDataQueries": list(queries),
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }


def stat(**fields: object) -> dict[str, Any]:
    metric = {
        "Namespace": "Reprise",
        "MetricName": "Succeeded",
        "Dimensions": [{"Name": "target", "Value": "orders"}],
    }
    return {"MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, **fields}


HIDDEN = stat(Id="a", ReturnData=False)
NAMED = stat(Id="b", ReturnData=True, Label="named")
EXPRESSION = {
    "Id": "e",
    "Expression": "LOG(a)",
    "Label": "${LABEL}",
    "Period": 60,
    "ReturnData": True,
}


def test_expressions_are_asked_beside_their_metrics_and_may_have_several_results(
    stubbed: tuple[CloudWatchClient, Stubber],
) -> None:
    client, stubber = stubbed
    failed = {"StatusCode": "Forbidden", "Messages": [{"Code": "x", "Value": "not yours"}]}
    told = [result("b", "named"), result("e", "x"), result("e", "x"), result("e", "y", **failed)]
    stubber.add_response(
        "get_metric_data", {"MetricDataResults": told}, asked(HIDDEN, NAMED, EXPRESSION)
    )
    (answer,) = CloudWatch(client).ask([MIXED])
    found = [(one.id, one.label, one.problem) for one in answer.results]
    assert found == [
        ("b", "named", None),
        ("e", "x", None),
        ("e", "x", None),
        ("e", "y", "not yours"),
    ]
    assert answer.problem is None


def test_a_page_goes_on_with_the_series_of_the_one_before(
    stubbed: tuple[CloudWatchClient, Stubber],
) -> None:
    client, stubber = stubbed
    later = [datetime.fromtimestamp(GRID.start_s + 60, UTC)]
    first = {"MetricDataResults": [result("b", "named")], "NextToken": "next"}
    second = {"MetricDataResults": [result("b", "named", Timestamps=later)]}
    stubber.add_response("get_metric_data", first, asked(NAMED))
    stubber.add_response("get_metric_data", second, asked(NAMED) | {"NextToken": "next"})
    (answer,) = CloudWatch(client).ask([ONE_METRIC])
    (one,) = answer.results
    assert one.points == {GRID.start_s: 1.0, GRID.start_s + 60: 1.0}


def test_where_an_expression_is_refused_the_metrics_are_there_and_it_is_told(
    stubbed: tuple[CloudWatchClient, Stubber],
) -> None:
    client, stubber = stubbed
    stubber.add_client_error("get_metric_data", "ValidationError", "LOG is not known")
    stubber.add_response(
        "get_metric_data", {"MetricDataResults": [result("b", "named")]}, asked(NAMED)
    )
    (answer,) = CloudWatch(client).ask([MIXED])
    assert [one.id for one in answer.results] == ["b"]
    assert answer.problem == "LOG is not known"


@pytest.mark.parametrize(
    ("request_", "code"), [(MIXED, "Throttling"), (ONE_METRIC, "ValidationError")]
)
def test_another_refusal_is_an_error(
    stubbed: tuple[CloudWatchClient, Stubber], request_: MetricRequest, code: str
) -> None:
    client, stubber = stubbed
    stubber.add_client_error("get_metric_data", code)
    with pytest.raises(ClientError):
        CloudWatch(client).ask([request_])


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
