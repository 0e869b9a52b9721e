"""What operators see of a chaos test: every widget, the alarm, the incident and its end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from e2e.world import poll
from reprise_dashboard.body import body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World

MINUTE = 60


def test_operators_see_an_outage_and_are_told_once(world: World, inbox: str) -> None:
    if not letters(world):  # alone; after the other chaos tests there are some
        run_chaos(world)
    assert world.stack.chaos_target is not None
    world.call(world.stack.chaos_target, {"run": "e2e-observe", "call": 1, "behaviour": "ok"})
    poll(lambda: alarm_state(world, "dead-letters") == "ALARM")
    look(world)
    opened = next_message(world, inbox)
    assert opened.startswith("Incident Opened. reprise: calls were given up. Function: ")
    for part in (world.stack.chaos_target, " exhausted", "Dashboard: https://", "Runbook: "):
        assert part in opened, opened

    look(world)
    assert every_widget_has_data(world) == []
    poll(lambda: backlog_of_the_books(world) == backlog_of_the_ledger(world) == 0)

    hasten(world, "dead-letters")
    world.sqs.purge_queue(QueueUrl=world.stack.dead_letter_queue_url)
    poll(lambda: alarm_state(world, "dead-letters") == "OK", limit_s=60)
    look(world)
    # The next message at all: the second look at the open incident told nothing.
    closed = next_message(world, inbox)
    assert closed.startswith("Incident Closed. reprise: over after ")


def run_chaos(world: World) -> None:
    done = world.reprise(
        *("chaos", "--json", "--hold", "10s", "--concurrency", "4", "--timeout", "60s"),
        *("--calls", "30", "--poison", "2", "--large", "1"),
    )
    assert done.code == 0, done.stderr


def letters(world: World) -> int:
    name = "ApproximateNumberOfMessages"
    url = world.stack.dead_letter_queue_url
    found = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(found["Attributes"][name])


def look(world: World) -> None:
    """Let the observer look now, rather than when its minute is over."""
    answer = world.functions.invoke(FunctionName=f"{world.stack.name}-observer")
    assert "FunctionError" not in answer, answer["Payload"].read()


def hasten(world: World, name: str) -> None:
    """Give a deployed alarm periods of five seconds; all else stays as it was deployed."""
    cloudwatch = world.client("cloudwatch")
    full_name = f"{world.stack.name}-{name}"
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[full_name])["MetricAlarms"]
    kept = (
        *("AlarmName", "AlarmActions", "OKActions", "Namespace", "MetricName", "Dimensions"),
        *("Statistic", "EvaluationPeriods", "Threshold", "ComparisonOperator", "TreatMissingData"),
    )
    settings = {key: alarm[key] for key in kept if key in alarm}
    cloudwatch.put_metric_alarm(**settings, Period=5)


def next_message(world: World, url: str) -> str:
    """Return the next message about dead letters, and take it away."""

    def probe() -> str | None:
        for message in world.sqs.receive_message(QueueUrl=url).get("Messages", []):
            world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            text = str(json.loads(message["Body"]))
            if "given up" in text:
                return text
        return None

    return poll(probe)


def alarm_state(world: World, name: str) -> str:
    found = world.client("cloudwatch").describe_alarms(AlarmNames=[f"{world.stack.name}-{name}"])
    return str(found["MetricAlarms"][0]["StateValue"])


def backlog_of_the_books(world: World) -> int:
    key = {"id": {"S": f"book#{world.stack.chaos_target}"}}
    item = world.dynamodb.get_item(TableName=world.stack.ledger_table, Key=key)["Item"]
    return int(item["known"]["N"]) - int(item["ended"]["N"])


def backlog_of_the_ledger(world: World) -> int:
    pages = world.dynamodb.get_paginator("scan").paginate(TableName=world.stack.ledger_table)
    ours = f":{world.stack.chaos_target}"
    states = [
        item["state"]["S"]
        for page in pages
        for item in page["Items"]
        if "state" in item and item["target"]["S"].endswith(ours)
    ]
    return sum(state not in {"succeeded", "dead_lettered"} for state in states)


def every_widget_has_data(world: World) -> list[str]:
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


def has_data(cloudwatch: Any, each: Identity) -> bool:  # noqa: ANN401 - clients have no base
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
