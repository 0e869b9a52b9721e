"""Deliveries again and again, crashes and services that fail: nothing is lost, nothing runs twice."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from e2e.world import new_run, poll
from reprise.gate.lease import EPOCH_MS
from reprise.ledger import State
from reprise.unpack.expansion import INITIAL_EXPANSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e.world import World


def capture_keys(world: World) -> set[str]:
    """Names of the capture objects."""
    pages = world.s3.get_paginator("list_objects_v2").paginate(
        Bucket=world.stack.bucket, Prefix="captured/"
    )
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def await_rows(world: World, call_ids: Sequence[str]) -> None:
    """Wait until the unpacker has seen each call."""
    poll(lambda: all(world.ledger.get(call_id) is not None for call_id in call_ids))


def test_objects_notifications_and_messages_that_come_again_run_each_call_once(
    world: World, guest: str
) -> None:
    run, before = new_run(), capture_keys(world)
    world.hold(guest)
    call_ids = world.capture(guest, run, 12)
    await_rows(world, call_ids)
    bucket, fresh = world.stack.bucket, sorted(capture_keys(world) - before)

    def again(copy: int) -> None:
        for number, key in enumerate(fresh):
            if number % 5 >= copy:
                continue
            # The same bytes under another name, and the same name notified again.
            source = {"Bucket": bucket, "Key": key}
            world.s3.copy_object(Bucket=bucket, Key=f"{key}.copy{copy}", CopySource=source)
            notice = {
                "Records": [
                    {
                        "eventSource": "aws:s3",
                        "eventName": "ObjectCreated:Put",
                        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
                    }
                ]
            }
            world.sqs.send_message(
                QueueUrl=world.stack.capture_queue_url, MessageBody=json.dumps(notice)
            )

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(again, range(1, 6)))
        world.let_go(guest)
    rows = world.await_end(call_ids)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(1, 13)]


def test_services_that_answer_500_for_a_while_cost_time_only(world: World, guest: str) -> None:
    run = new_run()
    world.hold(guest)
    # Random text is kept in S3, and read from there by the replayer.
    large = secrets.token_hex(150_000)
    call_ids = world.capture(guest, f"{run}-large", 5, filler=large)
    call_ids += world.capture(guest, run, 30)
    services: tuple[dict[str, Any], ...] = tuple(
        {"service": name, "status": 500, "probability": 0.7, "seed": seed}
        for seed, name in enumerate(("dynamodb", "sqs", "s3"))
    )
    with world.faults(*services):
        world.functions.delete_function_concurrency(FunctionName=guest)
        Event().wait(4.0)
        hits = {fault["service"]: fault["hits"] for fault in world.admin("GET", "faults")["faults"]}
    rows = world.await_end(call_ids, limit_s=100.0)
    # Every call costs the ledger some writes; the other two are asked less often.
    assert hits["dynamodb"] >= 5, hits
    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(1, 31)]
    assert world.receipts(f"{run}-large") == [(number, True) for number in range(1, 6)]


@pytest.mark.slow
def test_a_gate_that_takes_no_writes_stops_no_call(world: World, guest: str) -> None:
    run, table = new_run(), world.stack.ledger_table
    arn = world.functions.get_function_configuration(FunctionName=guest)["FunctionArn"]
    # As large as an item may be: the gate can be read, and DynamoDB refuses whatever adds to it.
    key = f"gate#{arn}"
    full = 400 * 1024 - len(f"id{key}" + "full")
    gate = {"id": {"S": key}, "full": {"S": "x" * full}}
    world.dynamodb.put_item(TableName=table, Item=gate)
    world.hold(guest)
    # More than a first offer, so that some are folded.
    call_ids = world.capture(guest, run, 2 * INITIAL_EXPANSION)
    world.let_go(guest)

    rows = world.await_end(call_ids, limit_s=150.0)

    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(1, 2 * INITIAL_EXPANSION + 1)]
    assert world.dynamodb.get_item(TableName=table, Key={"id": gate["id"]})["Item"] == gate
    world.dynamodb.delete_item(TableName=table, Key={"id": gate["id"]})


# Its permits come back when their epoch is over, three minutes later.
@pytest.mark.slow
def test_a_replayer_killed_amid_a_batch_loses_nothing_and_repeats_no_success(
    world: World, guest: str
) -> None:
    run, count = new_run(), 12
    world.hold(guest)
    # A lease, and the hiding of its message, last as long as the function may run: not long here.
    # Three seconds of work: time to see a call on its way, and to kill its replayer there.
    quick = {"REPRISE_CALL_TIMEOUT_S": "8"}
    with (
        world.hidden_for(world.stack.replay_queue_url, seconds=25),
        world.reconfigured(world.stack.replayer, Timeout=20, variables=quick),
    ):
        call_ids = world.capture(guest, run, count, work_ms=3000)
        await_rows(world, call_ids)
        world.let_go(guest)
        # The gate holds: a probe comes first, after its gap. It and its batch die.
        poll(lambda: world.states(call_ids)["leased"] >= 1, limit_s=60.0)
        killed = world.admin("POST", "kill", {"function": world.stack.replayer})["killed"]
        # The permits of the dead may be all that there are: they come back when the epoch of their
        # lease's end is over.
        rows = world.await_end(call_ids, limit_s=20 + EPOCH_MS / 1000 + 80)
    assert killed >= 1
    by_state = {state: [row for row in rows if row.state is state] for state in State}
    given_up = by_state[State.DEAD_LETTERED]
    # Whether the target ran is not known, and its policy does not say that a second run is harmless.
    assert given_up
    assert {row.reason for row in given_up} == {"unknown"}
    assert len(by_state[State.SUCCEEDED]) + len(given_up) == count
    runs = [number for number, _ in world.receipts(run)]
    assert len(runs) == len(set(runs))
