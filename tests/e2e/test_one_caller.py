"""One caller's bad calls hold no healthy target for the others, and cost what their policy says."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from e2e.world import new_run, poll
from reprise.gate.state import HeldFor, Mode
from reprise.ledger import State

if TYPE_CHECKING:
    from e2e.world import World

BAD = 15
LIVES_S = 45
"""The bad calls' deadline: they end, and so the tests that follow are alone."""


def gate_item(world: World, function: str) -> dict[str, str]:
    """Return a gate's attributes as text."""
    arn = world.functions.get_function_configuration(FunctionName=function)["FunctionArn"]
    found = world.dynamodb.get_item(
        TableName=world.stack.ledger_table, Key={"id": {"S": f"gate#{arn}"}}
    )
    return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}


@pytest.mark.slow
def test_other_callers_are_replayed_while_one_callers_bad_calls_fail(
    world: World, guest: str
) -> None:
    run = new_run()
    deadline = (datetime.now(UTC) + timedelta(seconds=LIVES_S)).isoformat()
    bad_ids = []
    for number in range(1, BAD + 1):
        body = {"run": f"{run}-bad", "call": number, "behaviour": "poison"}
        answer = world.call(guest, body, NotAfter=deadline)
        assert answer["StatusCode"] == 202, answer
        bad_ids.append(answer["reprise"]["id"])
    poll(lambda: gate_item(world, guest).get("held_for") == HeldFor.FAULT)

    world.hold(guest)
    good_ids = world.capture(guest, run, 5)
    world.let_go(guest)

    rows = world.await_end(good_ids, limit_s=60.0)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(1, 6)]
    ended = world.await_end(bad_ids, limit_s=120.0)
    assert {row.state for row in ended} == {State.DEAD_LETTERED}
    # The caller's own try, and two replays at most.
    runs = [number for number, _ in world.receipts(f"{run}-bad")]
    assert max(runs.count(number) for number in range(1, BAD + 1)) <= 3


def test_a_live_call_that_succeeds_ends_a_hold_for_failures(world: World) -> None:
    target = world.stack.chaos_target
    assert target is not None
    arn = world.functions.get_function_configuration(FunctionName=target)["FunctionArn"]
    key, table = {"id": {"S": f"gate#{arn}"}}, world.stack.ledger_table
    since_ms = int(time.time() * 1000) - 180_000
    held = {
        "mode": {"S": Mode.HOLDING.value},
        "held_for": {"S": HeldFor.FAULT.value},
        "holding_since_ms": {"N": str(since_ms)},
        # Nothing waits that could be a probe.
        "probe_at_ms": {"N": str(since_ms + 2000)},
    }
    world.dynamodb.put_item(TableName=table, Item=key | held)
    observer = f"{world.stack.name}-observer"

    world.call(target, {"run": new_run(), "call": 1, "behaviour": "ok"})

    def flows() -> bool:
        assert "FunctionError" not in world.functions.invoke(FunctionName=observer)
        return gate_item(world, target)["mode"] == Mode.FLOWING

    poll(flows, limit_s=60.0)
    world.dynamodb.delete_item(TableName=table, Key=key)
