"""The unpacker: what becomes of capture objects, fault by fault."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from harness import (
    ACCOUNT,
    KEYS,
    LOG_GROUP,
    MAIL,
    ORDERS,
    PIPELINE_KEYS,
    Pipeline,
    call,
    envelope,
    notification,
    plenty,
)
from reprise import metric
from reprise.capturing.signature import MacKeys
from reprise.ledger import State
from reprise.replay.message import ReplayMessage, read_message
from reprise.unpack.consumer import MAX_RECEIVES, RENEW_RECEIVES, Notice
from reprise.unpack.notification import ObjectRef, read_notification, write_continuation
from strategies import signed_document

if TYPE_CHECKING:
    from collections.abc import Callable


def quarantined(pipeline: Pipeline) -> list[dict[str, str]]:
    return [
        json.loads(line)
        for key in sorted(pipeline.objects.kept)
        if key.startswith("quarantine/")
        for line in pipeline.objects.kept[key].decode().splitlines()
    ]


STRANGER = MacKeys("stranger", "k9", {"k9": "a key that nobody gave to this stack"}, ("*",))


def altered(line: str, **changes: object) -> str:
    return json.dumps({**json.loads(line), **changes})


def resigned(line: str, **changes: object) -> str:
    """Return a line with changes, signed by the right key: authentic, but not as it should be."""
    return json.dumps(signed_document({**json.loads(line), **changes}, KEYS))


def test_each_captured_call_becomes_one_row_and_one_message() -> None:
    pipeline = Pipeline()
    ids = pipeline.capture(call(b"1"), call(b"2", function=MAIL), call(b"3"))

    assert pipeline.take_in(pipeline.store()) == []

    assert sorted(pipeline.ledger.rows) == sorted(ids)
    assert {row.state for row in pipeline.ledger.rows.values()} == {State.CAPTURED}
    messages = pipeline.take_sent()
    # By target, in the order of their first calls: what is decided of one target is carried out as one.
    assert [message.group for message in messages] == ["orders", "orders", "mail"]
    assert [read_message(message.body).record.id for message in messages] == [
        ids[0],
        ids[2],
        ids[1],
    ]
    assert read_message(messages[0].body).object == "s3://bucket/captured/2026/11/21/10/object.gz"


def test_calls_in_an_error_object_of_firehose_are_taken_in_where_it_is_copied_to() -> None:
    """What lies below `capture-errors/` notifies nobody; its records bear their own MAC wherever they lie."""
    pipeline = Pipeline()
    ids = pipeline.capture(call(b"1"), call(b"2"))
    members = [envelope(line) for line in pipeline.lines]
    pipeline.objects.kept["captured/copied"] = b"".join(
        json.dumps({"errorCode": "x", "rawData": base64.b64encode(each).decode()}).encode() + b"\n"
        for each in members
    )
    assert pipeline.take_in(notification("captured/copied")) == []
    assert sorted(pipeline.ledger.rows) == sorted(ids)
    assert quarantined(pipeline) == []


@pytest.mark.parametrize("times", [2, 5])
def test_same_object_unpacked_again_adds_no_row_and_ended_calls_no_message(times: int) -> None:
    pipeline = Pipeline()
    pipeline.capture(call(b"1"), call(b"2"))
    body = pipeline.store()
    pipeline.take_in(body)
    pipeline.replay(*pipeline.take_sent())

    for _ in range(times):
        assert pipeline.take_in(body) == []

    assert pipeline.take_sent() == []
    assert len(pipeline.functions.invoked) == 2
    assert pipeline.meter.counts[metric.DUPLICATES_SUPPRESSED] == 2 * times


def test_object_rewritten_with_more_records_adds_only_the_new_ones() -> None:
    """Firehose may update the same object after a partial failure (Firehose guide, retry)."""
    pipeline = Pipeline()
    pipeline.capture(call(b"1"))
    pipeline.take_in(pipeline.store())
    pipeline.replay(*pipeline.take_sent())
    pipeline.capture(call(b"2"))

    pipeline.take_in(pipeline.store())

    assert len(pipeline.take_sent()) == 1
    assert len(pipeline.ledger.rows) == 2


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda line: line[:-20], "truncated", id="truncated"),
        pytest.param(lambda line: altered(line, reprise=2), "unknown_version", id="version"),
        pytest.param(lambda line: altered(line, id="other"), "bad_mac", id="altered"),
        pytest.param(lambda line: altered(line, mac=None), "bad_mac", id="unsigned"),
        pytest.param(
            lambda line: json.dumps(signed_document(json.loads(line), STRANGER)),
            "bad_mac",
            id="foreign key",
        ),
        pytest.param(
            lambda line: json.dumps(signed_document(json.loads(line), PIPELINE_KEYS)),
            "bad_mac",
            id="another source's name",
        ),
        pytest.param(lambda line: resigned(line, id=7), "invalid_record", id="wrong type"),
        pytest.param(lambda line: resigned(line, id="mail:order-1"), "id_mismatch", id="id"),
        pytest.param(
            lambda line: resigned(line, captured_at="yesterday"), "invalid_record", id="instant"
        ),
        pytest.param(
            lambda line: resigned(
                line, target={"function": ORDERS.replace("orders", "admin"), "qualifier": None}
            ),
            "target_not_allowed",
            id="target",
        ),
        pytest.param(
            lambda line: resigned(
                line, payload={"inline": "x", "size_bytes": 1, "sha256": "0" * 64}
            ),
            "payload_mismatch",
            id="digest",
        ),
    ],
)
def test_line_that_cannot_be_trusted_is_quarantined_and_the_rest_goes_on(
    spoil: Callable[[str], str], reason: str
) -> None:
    pipeline = Pipeline()
    pipeline.capture(call(b"1"), call(b"2"), call(b"3"))
    pipeline.lines[1] = spoil(pipeline.lines[1])

    assert pipeline.take_in(pipeline.store()) == []

    assert len(pipeline.take_sent()) == 2
    (kept,) = quarantined(pipeline)
    assert kept["reason"] == reason
    assert kept["source"].startswith("s3://bucket/captured/")
    assert pipeline.meter.counts[metric.QUARANTINED] == 1


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ({"owner": "999999999999"}, "account_not_allowed"),
        ({"log_group": "/aws/lambda/somebody"}, "log_group_not_allowed"),
    ],
)
def test_line_from_elsewhere_is_quarantined_even_if_its_mac_is_right(
    origin: dict[str, str], reason: str
) -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    pipeline.objects.kept["captured/x"] = envelope(pipeline.lines[0], **origin)

    assert pipeline.take_in(notification("captured/x")) == []

    assert pipeline.take_sent() == []
    assert [entry["reason"] for entry in quarantined(pipeline)] == [reason]


def test_foreign_lines_control_messages_and_other_json_are_counted_and_skipped() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    control = {"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logEvents": []}
    pipeline.objects.kept["captured/x"] = (
        gzip.compress(json.dumps(control).encode())
        + envelope("START RequestId", '{"level":"INFO"}', pipeline.lines[0])
        + gzip.compress(b'{"other":1}')
    )

    assert pipeline.take_in(notification("captured/x")) == []

    assert len(pipeline.take_sent()) == 1
    assert pipeline.meter.counts[metric.CONTROL_MESSAGES] == 1
    assert pipeline.meter.counts[metric.FOREIGN_LINES] == 3
    assert quarantined(pipeline) == []


def test_half_written_object_yields_what_is_whole_and_quarantines_the_damage() -> None:
    pipeline = Pipeline()
    pipeline.capture(call(b"1"), call(b"2"))
    whole = b"".join(envelope(line) for line in pipeline.lines)
    pipeline.objects.kept["captured/x"] = whole[:-30]

    assert pipeline.take_in(notification("captured/x")) == []

    assert len(pipeline.take_sent()) == 1
    assert {entry["reason"] for entry in quarantined(pipeline)} == {"damaged"}


def test_empty_object_and_test_event_are_done_with_at_once() -> None:
    pipeline = Pipeline()
    pipeline.objects.kept["captured/empty"] = b""
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"})

    assert pipeline.take_in(notification("captured/empty"), test_event) == []
    assert quarantined(pipeline) == []


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"Records":[{"s3":{}}]}', '{"Records":[7]}'])
def test_message_that_is_no_notification_is_quarantined_and_others_go_on(body: str) -> None:
    pipeline = Pipeline()
    pipeline.capture(call())

    assert pipeline.take_in(body, pipeline.store()) == []

    assert len(pipeline.take_sent()) == 1
    assert [entry["reason"] for entry in quarantined(pipeline)] == ["unknown_message"]


def test_missing_object_is_tried_again_and_then_dead_lettered_with_its_reason() -> None:
    pipeline = Pipeline()
    body = notification("captured/gone")

    for receive_count in range(1, MAX_RECEIVES):
        assert pipeline.take_in(body, receive_count=receive_count) == ["n0"]
    assert pipeline.capture_dlq.sent == []
    assert pipeline.take_in(body, receive_count=MAX_RECEIVES) == []

    (letter,) = pipeline.capture_dlq.sent
    assert letter.body == body
    assert "NoSuchKey" in (letter.attributes or {})["reason"]


@pytest.mark.parametrize("operation", ["get"])
def test_object_store_answering_errors_loses_nothing(operation: str) -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.objects.faults.fail(operation)

    assert pipeline.take_in(body) == ["n0"]
    assert pipeline.capture_queue.waits_s == {"rn0": 10.0}
    assert pipeline.take_in(body, receive_count=2) == []
    assert len(pipeline.take_sent()) == 1


@pytest.mark.parametrize("fault", ["ledger", "queue", "keys", "quarantine"])
def test_store_away_while_unpacking_loses_nothing(fault: str) -> None:
    pipeline = Pipeline()
    pipeline.capture(call(b"1"), call(b"2"))
    pipeline.lines.append("{" + '"reprise":1')
    body = pipeline.store()
    match fault:
        case "ledger":
            pipeline.ledger.faults.fail("record")
        case "queue":
            pipeline.replay_queue.faults.fail("send")
        case "keys":
            pipeline.keys.faults.fail("keys")
        case _:
            pipeline.lines[2] = '{"reprise":1'
            body = pipeline.store()
            pipeline.objects.faults.fail("put")

    assert pipeline.take_in(body) == ["n0"]
    pipeline.take_sent()
    assert pipeline.take_in(body, receive_count=2) == []
    assert len(pipeline.take_sent()) == 2
    assert len(pipeline.ledger.rows) == 2


def test_unpacker_short_of_time_parks_what_it_has_read_and_continues_later() -> None:
    pipeline = Pipeline()
    ids = pipeline.capture(*[call(b'{"n":%d}' % n) for n in range(250)])
    pipeline.store("captured/a b+c.gz")
    refs = [ObjectRef(bucket="bucket", key="captured/a b+c.gz")]
    skips = []
    seen: list[ReplayMessage] = []
    while refs:
        ref = refs.pop()
        skips.append((ref.key.partition("/")[0], ref.skip))
        # Not even an expansion that has begun may go on for long.
        if pipeline.unpacker().run(ref, lambda: 1_000) is not None:
            refs.append(ref)
            skips.pop()
        pipeline.clock.advance(60.0)
        seen.extend(read_message(message.body) for message in pipeline.take_sent())
        for message in pipeline.capture_queue.sent:
            refs.extend(read_notification(message.body))
        pipeline.capture_queue.sent.clear()

    assert [skip for skip in skips if skip[0] == "captured"] == [
        ("captured", 0),
        ("captured", 100),
        ("captured", 200),
    ]
    assert sorted(message.record.id for message in seen) == sorted(ids)
    assert {message.object for message in seen} == {"s3://bucket/captured/a b+c.gz"}


def test_message_that_there_is_no_time_for_comes_again_untouched() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    pipeline.store()

    assert pipeline.intake().run([], plenty) == []
    notice = Notice(message_id="n", receipt_handle="r", body="{}", receive_count=1)
    assert pipeline.intake().run([notice], lambda: 1_000) == ["n"]


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("captured/red+flower.gz", "captured/red flower.gz"),
        ("captured/a%2Bb.gz", "captured/a+b.gz"),
        ("captured/dt%3D1/x.gz", "captured/dt=1/x.gz"),
        ("captured/100%2525.gz", "captured/100%25.gz"),
    ],
)
def test_key_is_decoded_exactly_once(encoded: str, key: str) -> None:
    (ref,) = read_notification(notification(encoded))
    assert ref.key == key


def test_events_other_than_creations_are_ignored() -> None:
    document = json.loads(notification("x"))
    document["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert read_notification(json.dumps(document)) == ()


def test_continuation_keeps_the_version_and_the_place() -> None:
    ref = ObjectRef(bucket="b", key="k+%20", version_id="v", skip=7)
    assert read_notification(write_continuation(ref, PIPELINE_KEYS)) == (ref,)


def test_log_group_of_the_test_pipeline_is_the_capture_group() -> None:
    assert LOG_GROUP.endswith("/capture")
    assert ACCOUNT in ORDERS


def test_defect_while_unpacking_never_loses_the_object() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.ledger = None  # type: ignore[assignment]

    assert pipeline.take_in(body) == ["n0"]
    assert pipeline.take_in(body, receive_count=MAX_RECEIVES) == []
    assert len(pipeline.capture_dlq.sent) == 1


def test_outage_of_a_store_never_gives_an_object_up() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    for receive_count in range(1, RENEW_RECEIVES):
        pipeline.ledger.faults.fail("record")
        assert pipeline.take_in(body, receive_count=receive_count) == ["n0"]
        pipeline.clock.advance(60.0)

    assert pipeline.capture_dlq.sent == []
    assert pipeline.capture_queue.waits_s == {"rn0": 60.0}
    assert pipeline.take_in(body, receive_count=RENEW_RECEIVES) == []
    assert len(pipeline.take_sent()) == 1


def test_capture_dead_letter_queue_that_is_away_keeps_the_object_coming() -> None:
    pipeline = Pipeline()
    pipeline.capture_dlq.faults.fail("send")

    assert pipeline.take_in(notification("captured/gone"), receive_count=MAX_RECEIVES) == ["n0"]


def test_quarantine_that_is_away_keeps_an_unreadable_notification_coming() -> None:
    pipeline = Pipeline()
    pipeline.objects.faults.fail("put")

    assert pipeline.take_in("not a notification") == ["n0"]
    assert pipeline.take_in("not a notification", receive_count=2) == []
    assert [entry["reason"] for entry in quarantined(pipeline)] == ["unknown_message"]


def test_capture_line_without_its_envelope_is_quarantined_and_not_dropped() -> None:
    """Firehose's message extraction drops the envelope, and with it the proof of origin."""
    pipeline = Pipeline()
    pipeline.capture(call())
    pipeline.objects.kept["captured/x"] = pipeline.lines[0].encode() + b"\n"

    assert pipeline.take_in(notification("captured/x")) == []

    assert pipeline.take_sent() == []
    assert [entry["reason"] for entry in quarantined(pipeline)] == ["no_envelope"]
