"""Canary of ``metric_math``: GetMetricData answers expressions."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_engine.testing import Aws

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
MINUTES = 5


@pytest.fixture
def space() -> str:
    return f"Test{uuid.uuid4().hex[:8]}"


def put(aws: Aws, space: str, name: str, values: Mapping[int, float], **dimensions: str) -> None:
    """Store values by the minute after the start."""
    aws.client("cloudwatch").put_metric_data(
        Namespace=space,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                "Timestamp": START + timedelta(minutes=minute, seconds=5),
                "Value": value,
            }
            for minute, value in values.items()
        ],
    )


def stat(query_id: str, space: str, name: str, **fields: Any) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in fields.pop("of", {}).items()]
    metric = {"Namespace": space, "MetricName": name, "Dimensions": dimensions}
    return {
        "Id": query_id,
        "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"},
        **fields,
    }


def ask(aws: Aws, *queries: dict[str, Any]) -> list[tuple[str, str, dict[int, float]]]:
    """Return id, label, and values by minute of each result."""
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries),
        StartTime=START,
        EndTime=START + timedelta(minutes=MINUTES),
        ScanBy="TimestampAscending",
    )
    return [
        (
            result["Id"],
            result["Label"],
            {
                round((at - START).total_seconds() / 60): value
                for at, value in zip(result["Timestamps"], result["Values"], strict=True)
            },
        )
        for result in answer["MetricDataResults"]
    ]


def test_expressions_are_evaluated_on_what_the_request_has(aws: Aws, space: str) -> None:
    put(aws, space, "Done", {0: 6, 1: 3}, target="a")
    put(aws, space, "Seen", {0: 8, 1: 4, 2: 1}, target="a")
    share = {"Id": "share", "Expression": "100 * done / seen", "Label": "share", "Period": 60}
    filled = {"Id": "filled", "Expression": "FILL(share, 0)"}
    assert ask(
        aws,
        stat("done", space, "Done", of={"target": "a"}, ReturnData=False),
        stat("seen", space, "Seen", of={"target": "a"}, Label="seen"),
        share,
        filled,
    ) == [
        ("seen", "seen", {0: 8, 1: 4, 2: 1}),
        ("share", "share", {0: 75, 1: 75}),
        ("filled", "filled", {0: 75, 1: 75, 2: 0, 3: 0, 4: 0}),
    ]


def test_search_gives_a_result_for_each_metric_that_it_finds(aws: Aws, space: str) -> None:
    put(aws, space, "Backlog", {0: 1}, target="b")
    put(aws, space, "Backlog", {1: 2}, target="a")
    put(aws, space, "Other", {1: 3}, target="a")
    put(aws, space, "Backlog", {1: 9}, stack="s", target="a")
    search = f"SEARCH('{{{space},target}} MetricName=\"Backlog\"', 'Sum', 60)"
    assert ask(aws, {"Id": "all", "Expression": search}) == [
        ("all", "a", {1: 2}),
        ("all", "b", {0: 1}),
    ]
    label = "${PROP('Dim.target')}, most ${MAX}"
    named = ask(aws, {"Id": "all", "Expression": search, "Label": label})
    assert [name for _, name, _ in named] == ["a, most 2", "b, most 1"]
    of_all = {"Id": "sum", "Expression": f"SUM({search})", "Label": "sum"}
    assert ask(aws, of_all) == [("sum", "sum", {0: 1, 1: 2})]
    nothing = search.replace("Backlog", "None")
    assert ask(aws, {"Id": "none", "Expression": nothing}) == []


def test_period_of_a_search_is_its_own_and_else_the_querys(aws: Aws, space: str) -> None:
    put(aws, space, "Backlog", {0: 1, 1: 2, 4: 4}, target="a")
    search = f"SEARCH('{{{space},target}}', 'Sum')"
    ((_, _, found),) = ask(aws, {"Id": "all", "Expression": search, "Period": 3600})
    assert list(found.values()) in ([7], [1, 6], [3, 4])
    ((_, _, found),) = ask(
        aws, {"Id": "all", "Expression": search.replace(")", ", 60)"), "Period": 3600}
    )
    assert found == {0: 1, 1: 2, 4: 4}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [("LOG(m)", "LOG is not known here"), ("m +", "expected a value"), ("nobody", "no 'nobody'")],
)
def test_expression_without_a_value_refuses_the_request_and_says_why(
    aws: Aws, space: str, expression: str, reason: str
) -> None:
    with pytest.raises(ClientError, match=f"Error in expression 'e': .*{reason}") as caught:
        ask(aws, stat("m", space, "Done"), {"Id": "e", "Expression": expression})
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_unnamed_metrics_are_called_by_what_tells_them_apart(aws: Aws, space: str) -> None:
    of_both = [stat(f"m{name}", space, "Done", of={"stack": "s", "target": name}) for name in "ab"]
    assert [label for _, label, _ in ask(aws, *of_both)] == ["a", "b"]
    assert ask(aws, stat("m", space, "Done")) == [("m", "Done", {})]
