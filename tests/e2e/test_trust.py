"""What may not be invoked is not invoked, whoever asks and by whichever way."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import msgspec

from e2e.world import GUEST_PREFIX, new_run, poll
from reprise.call.payload import digest, pack
from reprise.call.target import Target
from reprise.instant import format_instant
from reprise.ledger.states import State
from reprise.stage.message import ReplayMessage, write_message
from reprise_cli.request import utc_now
from strategies import make_record

if TYPE_CHECKING:
    from e2e.world import World
    from reprise.record.record import Record

FOREIGN = "stranger"
PREFIX = "arn:aws:lambda:us-east-1:000000000000:function:"


def record_of(function: str, call_id: str, run: str) -> Record:
    """A record as the invoker would write it."""
    data = json.dumps({"run": run, "call": 1, "behaviour": "ok"}).encode()
    payload = pack(data, 100_000)
    assert payload is not None
    assert payload.sha256 == digest(data)
    return make_record(
        id=call_id,
        # Now: a call of a fixed day would be too old for its policy six hours later.
        captured_at=format_instant(utc_now()),
        target=Target(function=f"{PREFIX}{function}"),
        payload=payload,
    )


def send_replay(world: World, record: Record) -> None:
    body = write_message(ReplayMessage(record=record))
    world.sqs.send_message(QueueUrl=world.stack.replay_queue_url, MessageBody=body)


def test_the_replayer_invokes_no_function_outside_the_list(world: World) -> None:
    run = new_run()
    world.make_function(FOREIGN)
    try:
        send_replay(world, record_of(FOREIGN, f"{run}-app", run))
        (row,) = world.await_end([f"{run}-app"])
        assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
        assert "not among the stack's Targets" in (row.message or "")

        # With the check of ours out of the way, IAM still refuses.
        everything = {"REPRISE_TARGETS": f"{PREFIX}*"}
        with world.reconfigured(world.stack.replayer, variables=everything):
            send_replay(world, record_of(FOREIGN, f"{run}-iam", run))
            (row,) = world.await_end([f"{run}-iam"])
        assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
        assert "AccessDeniedException" in (row.message or "")
        assert world.receipts(run) == []
    finally:
        world.functions.delete_function(FunctionName=FOREIGN)


def test_a_forged_line_in_the_capture_group_invokes_nothing_and_is_kept(
    world: World, guest: str
) -> None:
    run = new_run()
    record = record_of(guest, f"{run}-forged", run)
    document = msgspec.to_builtins(record)
    document["mac"] = {"key_id": "k1", "value": "0" * 64}
    logs, group = world.client("logs"), world.stack.capture_log_group
    logs.create_log_stream(logGroupName=group, logStreamName=run)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=run,
        logEvents=[{"timestamp": int(time.time() * 1000), "message": json.dumps(document)}],
    )

    def kept() -> list[dict[str, Any]]:
        bucket = world.stack.bucket
        found = world.s3.list_objects_v2(Bucket=bucket, Prefix="quarantine/").get("Contents", [])
        lines = [
            json.loads(line)
            for entry in found
            for line in world.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"]
            .read()
            .splitlines()
        ]
        return [line for line in lines if run in base64.b64decode(line["data_base64"]).decode()]

    (line,) = poll(kept)
    assert line["reason"] == "bad_mac"
    assert world.ledger.get(f"{run}-forged") is None
    assert world.receipts(run) == []
    assert guest.startswith(GUEST_PREFIX)
