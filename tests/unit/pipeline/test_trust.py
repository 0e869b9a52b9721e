"""What travels is believed only as far as it is signed: lines, notices, messages, settlements."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from harness import (
    ACCOUNT,
    FAILED,
    KEYS,
    MAIL,
    ORDERS,
    PIPELINE_KEYS,
    Pipeline,
    call,
    deliveries,
    envelope,
    hold,
    notification,
    plenty,
)
from reprise import metric
from reprise.call.payload import pack
from reprise.call.target import Target
from reprise.capturing.record import Mac, Record, Source
from reprise.capturing.signature import MacKeys
from reprise.ledger import LedgerEvent, State
from reprise.ports import OutMessage
from reprise.replay.message import (
    PendingUpdate,
    ReplayMessage,
    Worker,
    read_message,
    with_settlement,
    write_message,
)
from reprise.testing import SUCCEEDED
from reprise.unpack.notification import Fold, ObjectRef, read_notification, write_continuation
from strategies import make_record, signed

NIGHTLY = f"arn:aws:batch:eu-central-1:{ACCOUNT}:job-definition/nightly"
SHOP = MacKeys("shop", "k1", {"k1": "the key of a library user of the tests"}, (MAIL,))


def kept(pipeline: Pipeline) -> list[tuple[str, str]]:
    """Return reason and source of everything in quarantine."""
    lines = [
        json.loads(line)
        for key in sorted(pipeline.objects.kept)
        if key.startswith("quarantine/")
        for line in pipeline.objects.kept[key].decode().splitlines()
    ]
    return [(line["reason"], line["source"]) for line in lines]


def record_of(keys: MacKeys = KEYS, **changes: Any) -> Record:
    """Return a record for the orders function, as the holder of these keys would sign it."""
    fields = {
        "target": Target(function=ORDERS),
        "source": Source(name=keys.source, version="1"),
    }
    return signed(make_record(**(fields | changes)), keys)


def message_of(record: Record, settlement: PendingUpdate | None = None) -> OutMessage:
    return OutMessage(body=write_message(ReplayMessage(record=record, settlement=settlement)))


# --- Replay messages ---


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(make_record(target=Target(function=ORDERS)), "bad_mac", id="unsigned"),
        pytest.param(
            msgspec.structs.replace(record_of(), mac=Mac(key_id="invoker/k1", value="0" * 64)),
            "bad_mac",
            id="forged",
        ),
        pytest.param(
            msgspec.structs.replace(record_of(), target=Target(function=MAIL)),
            "bad_mac",
            id="another target",
        ),
        pytest.param(
            msgspec.structs.replace(record_of(), payload=pack(b"evil", 100)),
            "bad_mac",
            id="another payload",
        ),
        pytest.param(
            msgspec.structs.replace(record_of(), not_after="2099-01-01T00:00:00Z"),
            "bad_mac",
            id="another end",
        ),
        pytest.param(record_of(SHOP), "target_not_allowed", id="target of other sources"),
        pytest.param(
            record_of(
                SHOP, target=Target(function=MAIL), source=Source(name="invoker", version="1")
            ),
            "bad_mac",
            id="in another source's name",
        ),
        pytest.param(
            record_of(SHOP, target=Target(function=NIGHTLY)),
            "target_not_allowed",
            id="job definition",
        ),
    ],
)
def test_a_message_that_is_not_authentic_is_kept_and_invokes_nothing(
    record: Record, reason: str
) -> None:
    """Who may send to the queue may still not invoke: its rights are not those of a caller."""
    pipeline = Pipeline()
    pipeline.targets = (ORDERS, MAIL, NIGHTLY)
    pipeline.keys.others = (KEYS, SHOP)

    assert pipeline.replay(message_of(record)) == []

    assert pipeline.functions.invoked == []
    assert pipeline.ledger.rows == {}
    assert kept(pipeline) == [(reason, "replay-queue/m0")]


def test_a_source_has_its_own_targets_invoked() -> None:
    pipeline = Pipeline()
    pipeline.keys.others = (SHOP,)
    pipeline.replay(message_of(record_of(SHOP, target=Target(function=MAIL))))
    assert [target.function for target, _, _ in pipeline.functions.invoked] == [MAIL]
    assert kept(pipeline) == []


def test_messages_wait_while_the_keys_are_away() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.keys.faults.fail("find")
    assert pipeline.replay(message) == ["m0"]
    assert pipeline.functions.invoked == []
    assert pipeline.replay(message, owner="second") == []
    assert len(pipeline.functions.invoked) == 1


@pytest.mark.parametrize(
    "changes",
    [{"payload": pack(b"other", 100)}, {"target": Target(function=MAIL)}],
    ids=["another payload", "another target"],
)
@pytest.mark.parametrize("state", [State.CAPTURED, State.LEASED, State.SUCCEEDED])
def test_a_genuine_record_under_the_id_of_another_call_is_kept_and_changes_nothing(
    changes: dict[str, Any], state: State
) -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    call_id = read_message(message.body).record.id
    if state is not State.CAPTURED:
        pipeline.ledger.lease(call_id, owner="dead", now=pipeline.clock(), until_ms=0)
    if state is State.SUCCEEDED:
        pipeline.ledger.settle(call_id, owner="dead", event=LedgerEvent.SUCCEED, changes={})
    before = pipeline.ledger.rows[call_id]

    assert pipeline.replay(message_of(record_of(id=call_id, **changes))) == []

    assert pipeline.functions.invoked == []
    assert pipeline.ledger.rows[call_id] == before
    assert kept(pipeline) == [("id_conflict", "replay-queue/m0")]


def test_a_conflicting_message_waits_while_the_quarantine_is_away() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    call_id = read_message(message.body).record.id
    pipeline.objects.faults.fail("put")
    forged = message_of(record_of(id=call_id, payload=pack(b"other", 100)))
    assert pipeline.replay(forged) == ["m0"]
    assert kept(pipeline) == []


def test_a_copy_of_a_call_whose_payload_was_replaced_is_dropped() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [FAILED] * 3
    (message,) = pipeline.captured_messages(call(), reply=FAILED)
    record = read_message(message.body).record
    for owner in ("one", "two"):
        pipeline.replay(message, owner=owner)
        pipeline.clock.advance(300)
    operator = MacKeys("operator", "k1", {"k1": "the key of the operators of the tests"}, ("*",))
    pipeline.keys.others += (operator,)
    edited = record_of(
        operator, id=record.id, payload=pack(b'{"order":2}', 100), edits=record.payload.sha256
    )
    sha256 = edited.payload.sha256
    dead = pipeline.ledger.rows[record.id]
    assert pipeline.ledger.redrive(dead, now=pipeline.clock(), sha256=sha256)
    pipeline.functions.script = []

    assert pipeline.replay(message, message_of(edited)) == []
    assert [payload for _, payload, _ in pipeline.functions.invoked[-1:]] == [b'{"order":2}']
    # The same object read again, too.
    pipeline.take_in(pipeline.store())
    assert pipeline.take_sent() == []

    row = pipeline.ledger.rows[record.id]
    assert (row.state, row.sha256) == (State.SUCCEEDED, sha256)
    assert row.captured_sha256 == record.payload.sha256
    assert len(pipeline.functions.invoked) == 3
    assert kept(pipeline) == []


def test_an_operators_edit_runs_only_after_the_ledger_was_told_of_it() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    operator = MacKeys("operator", "k1", {"k1": "the key of the operators of the tests"}, ("*",))
    pipeline.keys.others += (operator,)
    call_id = read_message(message.body).record.id
    edited = record_of(operator, id=call_id, payload=pack(b'{"order":2}', 100))

    assert pipeline.replay(message_of(edited)) == []

    assert pipeline.functions.invoked == []
    assert kept(pipeline) == [("id_conflict", "replay-queue/m0")]


# --- Settlements ---


def owed(pipeline: Pipeline) -> ReplayMessage:
    """Run a call whose end the ledger could not be told of; return the message that remembers it."""
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("settle")
    assert pipeline.replay(message) == []
    (sent,) = pipeline.take_sent()
    return read_message(sent.body)


def test_what_the_queue_remembers_is_signed_and_believed() -> None:
    pipeline = Pipeline()
    message = owed(pipeline)
    assert message.settlement is not None
    assert message.settlement.mac is not None
    assert message.settlement.mac.key_id == "pipeline/k1"
    assert pipeline.replay(OutMessage(body=write_message(message))) == []
    assert pipeline.ledger.rows[message.record.id].state is State.SUCCEEDED


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda owed: msgspec.structs.replace(owed, mac=None), id="unsigned"),
        pytest.param(lambda owed: msgspec.structs.replace(owed, owner="me"), id="another owner"),
        pytest.param(
            lambda owed: msgspec.structs.replace(owed, changes={"result": "forged"}), id="result"
        ),
        pytest.param(
            lambda owed: msgspec.structs.replace(owed, event=LedgerEvent.DEAD_LETTER), id="event"
        ),
        pytest.param(
            lambda owed: msgspec.structs.replace(owed, mac=Mac(key_id="pipeline/k1", value="0")),
            id="forged",
        ),
    ],
)
def test_a_forged_settlement_is_kept_and_told_to_nobody(forge: Any) -> None:
    pipeline = Pipeline()
    message = owed(pipeline)
    before = dict(pipeline.ledger.rows)
    forged = msgspec.structs.replace(message, settlement=forge(message.settlement))

    assert pipeline.replay(OutMessage(body=write_message(forged))) == []

    assert pipeline.ledger.rows == before
    assert len(pipeline.functions.invoked) == 1
    assert kept(pipeline) == [("bad_mac", "replay-queue/m0")]


def test_a_settlement_holds_for_its_own_call_only() -> None:
    pipeline = Pipeline()
    message = owed(pipeline)
    pipeline.replay(message_of(record_of(id="another"), message.settlement))
    assert kept(pipeline) == [("bad_mac", "replay-queue/m0")]


def test_only_the_pipeline_signs_settlements() -> None:
    pipeline = Pipeline()
    message = owed(pipeline)
    assert message.settlement is not None
    forged = with_settlement(message, message.settlement, KEYS)
    pipeline.replay(OutMessage(body=write_message(forged)))
    assert kept(pipeline) == [("bad_mac", "replay-queue/m0")]


def test_a_records_mac_is_none_of_a_settlement() -> None:
    """Each kind of thing is signed in its own domain."""
    pipeline = Pipeline()
    message = owed(pipeline)
    assert message.settlement is not None
    content: dict[str, Any] = msgspec.to_builtins(message.settlement)
    content |= {"id": message.record.id, "object": message.object}
    del content["mac"]
    settlement = msgspec.structs.replace(message.settlement, mac=PIPELINE_KEYS.sign(content))
    forged = msgspec.structs.replace(message, settlement=settlement)
    pipeline.replay(OutMessage(body=write_message(forged)))
    assert kept(pipeline) == [("bad_mac", "replay-queue/m0")]


def test_an_end_that_cannot_be_signed_is_left_to_the_lease() -> None:
    """As if the queue were away: the lease runs out, and the policy for unknown outcomes decides."""
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("settle")
    pipeline.keys.faults.fail("keys")
    assert pipeline.replay(message) == ["m0"]
    assert pipeline.take_sent() == []
    pipeline.clock.advance(400)
    assert pipeline.replay(message, owner="second") == []
    assert len(pipeline.functions.invoked) == 1
    assert [row.reason for row in pipeline.ledger.rows.values()] == ["unknown"]


# --- Notices of the capture queue ---


FOLD = Fold(
    function=ORDERS, records=2, since="2026-11-21T10:00:00Z", source="s3://bucket/captured/x"
)


def folded(pipeline: Pipeline) -> ObjectRef:
    """Store an object of two calls whose target holds; return what its folded message names."""
    hold(pipeline)
    pipeline.capture(call(b"1"), call(b"2"))
    pipeline.take_in(pipeline.store("captured/x"))
    (message,) = pipeline.capture_queue.sent
    pipeline.capture_queue.sent.clear()
    (ref,) = read_notification(message.body)
    return ref


def test_the_message_of_a_folded_object_is_signed_and_believed() -> None:
    pipeline = Pipeline()
    ref = folded(pipeline)
    assert ref.mac is not None
    assert ref.mac.key_id == "pipeline/k1"
    looks = pipeline.meter.counts[metric.FOLDED_LOOKS]
    assert pipeline.take_in(write_continuation(ref, PIPELINE_KEYS)) == ["n0"]
    assert pipeline.meter.counts[metric.FOLDED_LOOKS] == looks + 1


@pytest.mark.parametrize("field", ["skip", "records", "function", "since", "source", "key", "mac"])
def test_a_forged_fold_is_kept_and_reads_nothing(field: str) -> None:
    pipeline = Pipeline()
    document = json.loads(write_continuation(folded(pipeline), PIPELINE_KEYS))
    entry = document["Records"][0]
    match field:
        case "skip":
            entry["reprise"]["skip"] = 1
        case "key":
            entry["s3"]["object"]["key"] = "captured/y"
        case "mac":
            entry["reprise"]["mac"]["value"] = "0" * 64
        case "records":
            entry["reprise"]["fold"]["records"] = 1000
        case "since":
            entry["reprise"]["fold"]["since"] = "2020-01-01T00:00:00Z"
        case _:
            entry["reprise"]["fold"][field] = MAIL
    before = dict(pipeline.ledger.rows), dict(pipeline.gate_items.images)

    assert pipeline.take_in(json.dumps(document)) == []

    assert kept(pipeline) == [("bad_mac", "capture-queue/n0")]
    assert (pipeline.ledger.rows, pipeline.gate_items.images) == before
    assert pipeline.take_sent() == []


def test_only_the_pipeline_signs_folds() -> None:
    pipeline = Pipeline()
    pipeline.take_in(write_continuation(folded(pipeline), KEYS))
    assert kept(pipeline) == [("bad_mac", "capture-queue/n0")]


def test_what_an_unsigned_message_says_of_an_object_is_not_believed() -> None:
    """Messages of 0.1.0 are on the queue when a stack is upgraded: their objects are read from the start."""
    pipeline = Pipeline()
    ref = folded(pipeline)
    document = json.loads(write_continuation(ref, PIPELINE_KEYS))
    del document["Records"][0]["reprise"]["mac"]
    document["Records"][0]["reprise"] |= {"skip": 1}
    document["Records"][0]["reprise"]["fold"]["records"] = 1

    assert pipeline.take_in(json.dumps(document)) == []

    # As after S3's own notification: read, sorted, and left folded anew.
    (message,) = pipeline.capture_queue.sent
    (again,) = read_notification(message.body)
    assert (again.skip, again.fold) == (ref.skip, ref.fold)
    assert kept(pipeline) == []


def test_a_folded_object_waits_while_the_keys_are_away() -> None:
    pipeline = Pipeline()
    body = write_continuation(folded(pipeline), PIPELINE_KEYS)
    pipeline.keys.faults.fail("find")
    assert pipeline.take_in(body) == ["n0"]
    assert kept(pipeline) == []


@pytest.mark.parametrize(
    "body",
    [
        notification("captured/x", bucket="stranger"),
        notification("batch-events/x", bucket="stranger"),
        write_continuation(ObjectRef(bucket="stranger", key="parked/x", fold=FOLD), PIPELINE_KEYS),
    ],
    ids=["capture object", "batch event", "parked object"],
)
def test_an_object_of_another_bucket_is_not_read(body: str) -> None:
    pipeline = Pipeline()
    # A double that serves any bucket alike: nothing but our own check refuses.
    pipeline.capture(call())
    for key in ("captured/x", "batch-events/x", "parked/x"):
        pipeline.objects.kept[key] = envelope(*pipeline.lines)
    pipeline.objects.faults.fail("stream")

    assert pipeline.take_in(body) == []

    assert kept(pipeline) == [("bucket_not_allowed", "capture-queue/n0")]
    assert pipeline.ledger.rows == {}


# --- Capture lines ---


def _uuid(number: int) -> str:
    return f"0193a1b2-0000-7000-8000-{number:012d}"


def test_a_key_signs_lines_for_its_own_targets_in_its_own_name_only() -> None:
    """Who may read one key cannot have every allowed function invoked."""
    pipeline = Pipeline()
    pipeline.keys.others = (KEYS, SHOP)
    for number, record in enumerate(
        (
            record_of(SHOP, id=_uuid(1), target=Target(function=MAIL)),
            record_of(SHOP, id=_uuid(2)),
            record_of(SHOP, id=_uuid(3), source=Source(name="invoker", version="1")),
            record_of(SHOP, id=_uuid(4), target=Target(function=NIGHTLY)),
        )
    ):
        assert record.id == _uuid(number + 1)
        pipeline.lines.append(json.dumps(msgspec.to_builtins(record)))

    pipeline.take_in(pipeline.store())

    assert [*pipeline.ledger.rows] == [_uuid(1)]
    assert sorted(reason for reason, _ in kept(pipeline)) == [
        "bad_mac",
        "target_not_allowed",
        "target_not_allowed",
    ]


def test_lines_are_judged_by_nobody_who_may_read_no_keys_at_all() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.keys.faults.fail("keys")
    assert pipeline.take_in(body) == ["n0"]
    assert kept(pipeline) == []


def test_a_whole_batch_of_forged_messages_holds_up_no_genuine_one() -> None:
    pipeline = Pipeline()
    (good,) = pipeline.captured_messages(call())
    forged = [message_of(make_record(id=str(n))) for n in range(9)]
    pipeline.functions.script = [SUCCEEDED]
    worker = Worker(owner="worker", remaining_ms=plenty)
    assert pipeline.replayer().run(deliveries(*forged, good), worker) == []
    assert len(pipeline.functions.invoked) == 1
    assert {reason for reason, _ in kept(pipeline)} == {"bad_mac"}
