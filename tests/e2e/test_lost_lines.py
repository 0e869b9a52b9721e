"""What the log path drops is found in the log group, replayed once and counted."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from e2e.world import new_run, poll
from reprise.aws.counters_table import READ_BACK, StateItem
from reprise.ledger import State
from reprise.monitor.read_back import EVERY_S, ReadBack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from e2e.world import World

CALLS = 800
LARGE_CALLS = 4


@contextmanager
def dropping(world: World, share: float) -> Iterator[None]:
    """Let the log path lose lines inside."""
    world.admin("POST", "log-path", {"drop": share, "seed": 3})
    try:
        yield
    finally:
        world.admin("DELETE", "log-path")


def known(world: World, call_ids: Sequence[str]) -> set[str]:
    return {row.id for row in world.ledger.get_all(call_ids).values()}


def read_back(world: World) -> None:
    """Run the reconciler; what is due is the last half hour, up to a second ago."""
    now_ms = int(time.time() * 1000)
    states = StateItem(world.dynamodb, world.stack.ledger_table, READ_BACK, ReadBack)
    states.save(ReadBack(done_ms=now_ms - (EVERY_S + 1) * 1000))
    answer = world.functions.invoke(FunctionName=f"{world.stack.name}-reconciler")
    assert "FunctionError" not in answer, answer["Payload"].read()


def is_all_found(world: World, call_ids: Sequence[str]) -> bool:
    read_back(world)
    return len(known(world, call_ids)) == len(call_ids)


def lost_lines(world: World) -> float:
    """Return how many the metric has counted."""
    now = datetime.now(UTC)
    found = world.client("cloudwatch").get_metric_statistics(
        Namespace="Reprise",
        MetricName="LostLines",
        Dimensions=[{"Name": "stack", "Value": world.stack.name}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


# It captures and replays eight hundred calls.
@pytest.mark.slow
def test_all_of_one_percent_of_the_lines_that_are_dropped_are_found_and_run_once(
    world: World, guest: str
) -> None:
    run, counted_before = new_run(), lost_lines(world)
    world.hold(guest)
    with dropping(world, 0.01):
        call_ids = world.capture(guest, run, CALLS)
        dropped = world.admin("GET", "log-path")["dropped"]
    assert dropped >= 3
    with dropping(world, 1.0):
        # Random text is kept in S3: only its claim check is in the line.
        large = secrets.token_hex(150_000)
        call_ids += world.capture(guest, f"{run}-large", LARGE_CALLS, filler=large)
    lost = dropped + LARGE_CALLS
    poll(lambda: len(known(world, call_ids)) == len(call_ids) - lost, limit_s=120.0)
    with world.reconfigured(f"{world.stack.name}-reconciler", variables={"REPRISE_DUE_S": "1"}):
        # The same half hour again and again, as long as its last lines are younger than a second.
        poll(lambda: is_all_found(world, call_ids), limit_s=120.0)
    world.let_go(guest)

    rows = world.await_end(call_ids, limit_s=300.0)

    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(1, CALLS + 1)]
    assert world.receipts(f"{run}-large") == [(n, True) for n in range(1, LARGE_CALLS + 1)]
    found = [row for row in rows if "/read-back-" in (row.capture_object or "")]
    assert len(found) == lost
    poll(lambda: lost_lines(world) - counted_before == lost)
