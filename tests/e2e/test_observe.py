"""What operators see of a chaos test: every widget, the alarm, the incident and its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from e2e.widgets import blank_widgets
from e2e.world import poll
from reprise_dashboard.schedules import scheduled_runs, warm_pings

if TYPE_CHECKING:
    from e2e.world import World


def test_operators_see_an_outage_and_are_told_once(world: World, inbox: str) -> None:
    no_letters(world, inbox)
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
    # Of schedules there is nothing to see yet, unless their tests came first.
    later = {widget.properties["title"] for widget in (scheduled_runs(), warm_pings())}
    assert set(blank_widgets(world)) <= later
    poll(lambda: backlog_of_the_books(world) == backlog_of_the_ledger(world) == 0)

    world.sqs.purge_queue(QueueUrl=world.stack.dead_letter_queue_url)
    poll(lambda: alarm_state(world, "dead-letters") == "OK", limit_s=60)
    look(world)
    # The next message at all: the second look at the open incident told nothing.
    closed = next_message(world, inbox)
    assert closed.startswith("Incident Closed. reprise: over after ")


def no_letters(world: World, inbox: str) -> None:
    """Let the incident of other tests' dead letters end, if there is one; its messages are theirs."""
    hasten(world, "dead-letters")
    world.sqs.purge_queue(QueueUrl=world.stack.dead_letter_queue_url)
    poll(lambda: alarm_state(world, "dead-letters") == "OK", limit_s=60)
    look(world)
    world.sqs.purge_queue(QueueUrl=inbox)


def run_chaos(world: World) -> None:
    done = world.reprise(
        *("chaos", "--json", "--hold", "3s", "--concurrency", "4", "--timeout", "60s"),
        *("--calls", "30", "--poison", "2", "--large", "1"),
    )
    assert done.code == 0, done.stderr


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
