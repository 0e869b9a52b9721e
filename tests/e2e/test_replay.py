"""A window of time replayed on the deployed stack: what answered and did nothing runs again, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from e2e.world import new_run, poll
from reprise_cli.replay.window import again_id

if TYPE_CHECKING:
    from e2e.world import World

CALLS = 30


@pytest.mark.slow
def test_calls_that_succeeded_run_again_once_a_job_and_lost_ones_are_taken_in(
    world: World, guest: str
) -> None:
    run = new_run()
    world.hold(guest)
    call_ids = world.capture(guest, run, CALLS)
    poll(lambda: world.states(call_ids).total() == CALLS or None)
    # As a stack that lost its table's rows would: nobody knows these two calls any more.
    lost = call_ids[:2]
    for call_id in lost:
        world.dynamodb.delete_item(TableName=world.stack.ledger_table, Key={"id": {"S": call_id}})
    world.let_go(guest)
    world.await_end(call_ids[2:], limit_s=120.0)
    taken = world.look("replay", "--from", "30m", "--target", guest, "--yes", "--json")
    assert taken.code == 0, taken.stderr
    world.await_end(call_ids, limit_s=120.0)
    # One of the two may have been on its way in the replay queue, which knew it.
    once = world.receipts(run)
    assert once == [(number, True) for number in range(1, CALLS + 1)]

    done = world.look(
        *("replay", "--from", "30m", "--target", guest, "--state", "ended"),
        *("--why", "it answered and did nothing", "--yes", "--json"),
    )
    assert done.code == 0, done.stderr
    job = done.document["job"]
    assert done.document["redriven"] == CALLS
    again = [again_id(call_id, job) for call_id in call_ids]
    rows = world.await_end(again, limit_s=120.0)
    assert {row.state for row in rows} == {"succeeded"}
    assert world.receipts(run) == sorted([*once, *once])
    resumed = world.look("replay", "--resume", job, "--json")
    assert (resumed.code, resumed.document["left"]) == (0, 0)
    audit = json.loads(world.look("audit", job, "--json").stdout)
    assert (audit["why"], len(audit["letters"])) == ("it answered and did nothing", CALLS)
    assert world.receipts(run) == sorted([*once, *once])
