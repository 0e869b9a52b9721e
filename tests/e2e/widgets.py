"""The deployed dashboard's widgets: which of them show nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from reprise_dashboard.body import body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World

MINUTE = 60


def blank_widgets(world: World) -> list[str]:
    """Return the titles of the deployed dashboard's widgets that have none."""
    cloudwatch = world.client("cloudwatch")
    text = cloudwatch.get_dashboard(DashboardName=world.stack.name)["DashboardBody"]
    widgets = [widget for widget in json.loads(text)["widgets"] if widget["type"] == "metric"]
    assert len(widgets) == sum(widget["type"] == "metric" for widget in body()["widgets"])
    known = [
        page["Metrics"]
        for space in (
            "Reprise",
            "AWS/SQS",
            "AWS/Lambda",
            "AWS/Logs",
            "AWS/Firehose",
            "AWS/DynamoDB",
        )
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=space)
    ]
    listed = {identity(each) for page in known for each in page}
    return [
        widget["properties"]["title"]
        for widget in widgets
        if not any(has_data(cloudwatch, each) for each in lines(widget) if each in listed)
        and not any(found(each, listed) for each in searches(widget))
    ]


type Identity = tuple[str, str, frozenset[tuple[str, str]]]


def identity(found: dict[str, Any]) -> Identity:
    dimensions = frozenset((each["Name"], each["Value"]) for each in found["Dimensions"])
    return found["Namespace"], found["MetricName"], dimensions


def lines(widget: dict[str, Any]) -> Iterator[Identity]:
    for row in widget["properties"]["metrics"]:
        if isinstance(row[0], str):
            names = [entry for entry in row[2:] if isinstance(entry, str)]
            yield row[0], row[1], frozenset(zip(names[::2], names[1::2], strict=True))


def searches(widget: dict[str, Any]) -> Iterator[str]:
    for row in widget["properties"]["metrics"]:
        if isinstance(row[0], dict):
            yield row[0]["expression"]


def found(expression: str, listed: set[Identity]) -> bool:
    """Tell whether a search finds a metric: the one that its MetricName and its schema name."""
    schema = expression.split("{", 1)[1].split("}", 1)[0].split(",")
    name = expression.split('MetricName="', 1)[1].split('"', 1)[0]
    return any(
        (space, metric_name) == (schema[0], name)
        and {key for key, _ in dimensions} == set(schema[1:])
        for space, metric_name, dimensions in listed
    )


def has_data(cloudwatch: Any, each: Identity) -> bool:
    now = datetime.now(UTC)
    namespace, name, dimensions = each
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=MINUTE,
        Statistics=["SampleCount"],
    )["Datapoints"]
    return bool(points)
