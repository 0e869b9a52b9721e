"""What may not be invoked is not invoked, whoever asks and by whichever way."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import msgspec

from e2e.world import GUEST_PREFIX, new_run, poll
from reprise.aws.keys import SecretKeys, secret_name
from reprise.call.payload import digest, pack
from reprise.call.target import Target
from reprise.capturing.line import sign_record
from reprise.capturing.record import Source
from reprise.dead_letter import dead_letter
from reprise.instant import format_instant, utc_now
from reprise.ledger import State
from reprise.replay.message import ReplayMessage, write_message
from reprise_letters.browser import Browser
from strategies import make_record, make_row

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World
    from reprise.capturing.record import Record

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


def signed_by_the_invoker(world: World, record: Record) -> Record:
    """What only the stack's own roles can make; here the account's owner reads the key."""
    secrets = world.client("secretsmanager")
    name = secret_name(world.stack.name, "invoker")
    return sign_record(record, SecretKeys(secrets, name).keys())


def quarantined(world: World, run: str) -> list[dict[str, Any]]:
    """What of a run is in quarantine."""
    bucket = world.stack.bucket
    found = world.s3.list_objects_v2(Bucket=bucket, Prefix="quarantine/").get("Contents", [])
    lines = [
        json.loads(line)
        for entry in found
        for line in world.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().splitlines()
    ]
    return [line for line in lines if run in base64.b64decode(line["data_base64"]).decode()]


def test_the_replayer_invokes_no_function_outside_the_list(world: World) -> None:
    run = new_run()
    world.make_function(FOREIGN)
    try:
        send_replay(world, signed_by_the_invoker(world, record_of(FOREIGN, f"{run}-app", run)))
        (row,) = world.await_end([f"{run}-app"])
        assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
        assert "not among the stack's Targets" in (row.message or "")

        # With the check of ours out of the way, IAM still refuses.
        everything = {"REPRISE_TARGETS": f"{PREFIX}*"}
        with world.reconfigured(world.stack.replayer, variables=everything):
            record = signed_by_the_invoker(world, record_of(FOREIGN, f"{run}-iam", run))
            send_replay(world, record)
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
    document["mac"] = {"key_id": "invoker/k1", "value": "0" * 64}
    logs, group = world.client("logs"), world.stack.capture_log_group
    logs.create_log_stream(logGroupName=group, logStreamName=run)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=run,
        logEvents=[{"timestamp": int(time.time() * 1000), "message": json.dumps(document)}],
    )

    (line,) = poll(lambda: quarantined(world, run))
    assert line["reason"] == "bad_mac"
    assert world.ledger.get(f"{run}-forged") is None
    assert world.receipts(run) == []
    assert guest.startswith(GUEST_PREFIX)


def test_who_may_only_send_to_the_queues_has_nothing_invoked(world: World, guest: str) -> None:
    run = new_run()
    forged = record_of(guest, f"{run}-forged", run)
    send_replay(world, forged)
    notice = {"s3": {"bucket": {"name": f"stranger-{run}"}, "object": {"key": "captured/x"}}}
    world.sqs.send_message(
        QueueUrl=world.stack.capture_queue_url, MessageBody=json.dumps({"Records": [notice]})
    )
    # As the replayer would write it, but for the mac.
    row = make_row(id=forged.id, target=forged.target.function, reason="exhausted")
    letter = dead_letter(forged, row, now=utc_now())
    world.sqs.send_message(QueueUrl=world.stack.dead_letter_queue_url, MessageBody=letter)

    done = world.reprise("--json", "dlq", "redrive", forged.id)

    assert (done.code, done.document["refused"]) == (1, 1)
    kept = poll(lambda: found if len(found := quarantined(world, run)) == 2 else None)
    assert sorted(line["reason"] for line in kept) == ["bad_mac", "bucket_not_allowed"]
    assert world.ledger.get(forged.id) is None
    assert world.receipts(run) == []
    _take_away(world, forged.id)


def _take_away(world: World, call_id: str) -> None:
    """Delete a letter that no redrive takes, so that other tests find the queue as it was."""
    with Browser(world.sqs, world.stack.dead_letter_queue_url) as browser:
        for batch in browser.letters():
            browser.delete([letter for letter in batch if letter.id == call_id])


def test_an_operators_edit_runs_in_place_of_what_was_captured(
    world: World, guest: str, tmp_path: Path
) -> None:
    run = new_run()
    world.hold(guest)
    (call_id,) = world.capture(guest, run, 1)
    world.functions.delete_function(FunctionName=guest)
    (row,) = world.await_end([call_id])
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
    world.make_function(guest)
    edited = tmp_path / "payload.json"
    edited.write_text(json.dumps({"run": run, "call": 7, "behaviour": "ok"}))

    done = world.reprise("--json", "dlq", "redrive", call_id, "--payload", str(edited))

    assert (done.code, done.document["redriven"]) == (0, 1)
    poll(lambda: world.states([call_id])["succeeded"])
    assert world.receipts(run) == [(7, True)]
    assert "with another payload" in world.look("status", call_id).stdout


def test_a_source_signs_for_its_own_targets_only(world: World, guest: str) -> None:
    run = new_run()
    added = world.reprise("--json", "sources", "add", run, "--targets", guest)
    assert added.code == 0, added.stderr
    try:
        secrets = world.client("secretsmanager")
        keys = SecretKeys(secrets, added.document["arn"]).keys()
        chaos_target = str(world.stack.chaos_target)
        for function, number in ((guest, 1), (chaos_target, 2)):
            record = record_of(function, f"{run}-{number}", run)
            own = msgspec.structs.replace(record, source=Source(name=run, version="1"))
            send_replay(world, sign_record(own, keys))
        (row,) = world.await_end([f"{run}-1"])
        assert row.state is State.SUCCEEDED
        (line,) = poll(lambda: quarantined(world, f"{run}-2"))
        assert line["reason"] == "target_not_allowed"
        assert world.ledger.get(f"{run}-2") is None
    finally:
        assert world.reprise("sources", "remove", run).code == 0
