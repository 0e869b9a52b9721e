"""The numbers that operators see, compared with the ledger: in a hold, a pause, a drain, a redrive."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from e2e.test_observe import look
from e2e.world import new_run, poll
from reprise import metric

if TYPE_CHECKING:
    from e2e.world import World

CALLS, POISON = 120, 6
OPEN = ("captured", "leased", "waiting")


@dataclass(frozen=True)
class Truth:
    """What the stores themselves say."""

    open: int
    letters: int


def truth(world: World, target: str) -> Truth:
    """Count rows and letters."""
    pages = world.dynamodb.get_paginator("scan").paginate(
        TableName=world.stack.ledger_table, ConsistentRead=True
    )
    states = Counter(
        item["state"]["S"]
        for page in pages
        for item in page["Items"]
        if "state" in item and item.get("target", {}).get("S", "").endswith(f":{target}")
    )
    return Truth(open=sum(states[state] for state in OPEN), letters=world.letters())


def top(world: World, target: str) -> dict[str, Any]:
    """Return a target's line, and what is told of all."""
    told = world.look("top", "--json").document
    lines: dict[str, dict[str, Any]] = {line["target"]: line for line in told["targets"]}
    return lines[target] | {"dead_letters": told["dead_letters"], "wrong": told["wrong"]}


def backlog_metric(world: World, target: str) -> float:
    """Return the backlog that the observer gauges now: what tile, chart and alarms are made of."""
    began_s = int(time.time())
    look(world)

    def last() -> tuple[float] | None:
        found = world.client("cloudwatch").get_metric_data(
            MetricDataQueries=[
                {
                    "Id": "backlog",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": metric.NAMESPACE,
                            "MetricName": metric.BACKLOG,
                            "Dimensions": [
                                {"Name": metric.STACK, "Value": world.stack.name},
                                {"Name": metric.TARGET, "Value": target},
                            ],
                        },
                        "Period": 1,
                        "Stat": "Minimum",
                    },
                }
            ],
            StartTime=began_s,
            EndTime=time.time() + 60,
        )
        values: list[float] = found["MetricDataResults"][0]["Values"]
        return (float(values[0]),) if len(values) > 0 else None

    (gauged,) = poll(last)
    return gauged


def agree(world: World, target: str) -> dict[str, Any]:
    """Let top, metric and stores be asked until they tell the same; return the line of top."""

    def same() -> dict[str, Any] | None:
        before = truth(world, target)
        line = top(world, target)
        told = [int(line["backlog"]), int(backlog_metric(world, target)), int(line["dead_letters"])]
        return line if told == [before.open, before.open, before.letters] else None

    return poll(same, limit_s=30.0)


@pytest.mark.slow
def test_every_number_is_that_of_the_ledger_in_hold_pause_drain_and_redrive(world: World) -> None:
    target, run = world.stack.chaos_target, new_run()
    assert target is not None
    world.sqs.purge_queue(QueueUrl=world.stack.dead_letter_queue_url)
    world.hold(target)
    ids = world.capture(target, run, CALLS)
    ids += world.capture(target, new_run(), POISON, behaviour="poison")
    poll(lambda: any(row and row.refusals for row in map(world.ledger.get, ids)))
    poll(lambda: truth(world, target).open == CALLS + POISON)

    poll(lambda: top(world, target)["held_s"])
    held = agree(world, target)
    # Probing is part of a hold.
    assert held["state"] in {"holding", "probing"}
    assert held["held_for"] == "throttle"
    assert held["eta_s"] is None
    (told,) = [line for line in held["wrong"] if line.startswith(f"{target} has held for ")]
    assert "its replays are throttled" in told
    story = world.look("status", ids[0], "--json").document
    assert story["state"] in OPEN

    assert world.look("policy", "pause", target, "--reason", "a look", "--json").code == 0
    paused = agree(world, target)
    assert paused["paused"]["why"] == "a look"
    assert [line for line in paused["wrong"] if line.startswith(f"{target} is paused ")]
    assert world.look("policy", "resume", target).code == 0

    world.let_go(target)
    # While it drains nothing stands still: top's number lies between two counts.
    most = truth(world, target).open
    while most:
        shown = top(world, target)["backlog"]
        least = truth(world, target).open
        assert least <= shown <= most + 10, (least, shown, most)
        most = least
    world.await_end(ids, limit_s=180.0)
    drained = agree(world, target)
    assert (drained["backlog"], drained["dead_letters"], drained["eta_s"]) == (0, POISON, 0.0)
    assert f"{POISON} dead letters: `reprise dlq list`" in drained["wrong"]

    done = world.look("dlq", "redrive", "--target", target, "--yes", "--why", "a look", "--json")
    assert done.code == 0, done.stderr
    world.await_end(ids, limit_s=180.0)
    again = agree(world, target)
    assert (again["backlog"], again["dead_letters"]) == (0, POISON)
    listed = json.loads(world.look("dlq", "list", "--target", target, "--json").stdout)
    assert listed["count"] == POISON
    world.sqs.purge_queue(QueueUrl=world.stack.dead_letter_queue_url)
