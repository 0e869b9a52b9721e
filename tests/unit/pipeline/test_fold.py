"""The backlog in S3: what waits folded, what is parked, and that every step may be repeated."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from doubles import InMemoryGateItems
from harness import MAIL, ORDERS, PIPELINE_KEYS, Pipeline, call, hold, notification
from reprise import metric
from reprise.errors import StoreError
from reprise.gate.state import Change, GateState, Updated
from reprise.replay.message import read_message
from reprise.testing import SUCCEEDED
from reprise.unpack.consumer import MAX_RECEIVES, RENEW_RECEIVES
from reprise.unpack.defer import PREFIX
from reprise.unpack.enqueue import CHUNK
from reprise.unpack.expansion import INITIAL_EXPANSION
from reprise.unpack.notification import Fold, ObjectRef, read_notification, write_continuation

if TYPE_CHECKING:
    from reprise.ports import OutMessage

SOURCE = "s3://bucket/captured/2026/11/21/10/object.gz"


def let_go(pipeline: Pipeline, function: str = ORDERS) -> None:
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    pipeline.gate_items.images[function] = GateState(window=1000.0, succeeded_at_ms=now_ms)


def take_folded(pipeline: Pipeline) -> list[OutMessage]:
    """Take what waits in the capture queue."""
    sent = list(pipeline.capture_queue.sent)
    pipeline.capture_queue.sent.clear()
    return sent


def parked(pipeline: Pipeline) -> dict[str, bytes]:
    return {key: data for key, data in pipeline.objects.kept.items() if key.startswith(PREFIX)}


def ids_of(messages: list[OutMessage]) -> list[str]:
    return [read_message(message.body).record.id for message in messages]


def fold_of(message: OutMessage) -> Fold:
    (ref,) = read_notification(message.body)
    assert ref.fold is not None
    return ref.fold


def test_object_of_one_holding_target_waits_as_it_is_behind_one_message() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*[call(b"%d" % n) for n in range(250)])
    body = pipeline.store()

    assert pipeline.take_in(body) == []

    assert pipeline.take_sent() == []
    assert pipeline.ledger.rows == {}
    assert parked(pipeline) == {}
    (message,) = take_folded(pipeline)
    assert fold_of(message).records == 250
    assert message.group == "orders"
    assert 0 < message.delay_s <= 900
    image = pipeline.gate_items.images[ORDERS]
    assert (image.folded_objects, image.folded_records) == (1, 250)

    let_go(pipeline)
    assert pipeline.take_in(message.body) == []
    assert ids_of(pipeline.take_sent()) == ids


def test_look_at_a_folded_object_reads_nothing_and_changes_nothing() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call())
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    writes = pipeline.gate_items.writes
    pipeline.objects.kept.clear()

    assert pipeline.take_in(message.body, message.body) == ["n0", "n1"]

    assert min(pipeline.capture_queue.waits_s.values()) > 0
    assert pipeline.gate_items.writes == writes
    assert pipeline.meter.counts[metric.FOLDED_LOOKS] == 2
    assert take_folded(pipeline) == []


def test_mixed_object_is_expanded_for_who_flows_and_parked_once_for_each_who_does_not() -> None:
    pipeline = Pipeline()
    bills = ORDERS.replace("orders", "bills")
    pipeline.targets = (ORDERS, MAIL, bills)
    hold(pipeline)
    hold(pipeline, bills)
    let_go(pipeline, MAIL)
    requests = [
        call(b"%d" % n, function=function) for n in range(40) for function in (ORDERS, MAIL, bills)
    ]
    ids = pipeline.capture(*requests)

    assert pipeline.take_in(pipeline.store()) == []

    assert ids_of(pipeline.take_sent()) == ids[1::3]
    first, second = take_folded(pipeline)
    assert [message.group for message in (first, second)] == ["orders", "bills"]
    assert len(parked(pipeline)) == 2
    # The capture object has served: only parked objects are read from here on.
    pipeline.objects.kept = parked(pipeline)
    let_go(pipeline)
    assert pipeline.take_in(first.body, second.body) == ["n1"]
    assert ids_of(pipeline.take_sent()) == ids[0::3]
    let_go(pipeline, bills)
    assert pipeline.take_in(second.body) == []
    sent = pipeline.take_sent()
    assert ids_of(sent) == ids[2::3]
    # Where a call came from stays known.
    assert {read_message(message.body).object for message in sent} == {SOURCE}
    assert {row.capture_object for row in pipeline.ledger.rows.values()} == {SOURCE}


def test_parked_lines_are_authenticated_again_when_they_are_read() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call(b"1"), call(b"2", function=MAIL))
    pipeline.take_in(pipeline.store())
    pipeline.take_sent()
    (message,) = take_folded(pipeline)
    ((key, data),) = parked(pipeline).items()
    forged = gzip.decompress(data).replace(b"TooManyRequests", b"TooManyRequestz")
    pipeline.objects.kept[key] = forged
    let_go(pipeline)

    assert pipeline.take_in(message.body) == []

    assert pipeline.take_sent() == []
    reasons = [
        json.loads(line)["reason"]
        for name, lines in pipeline.objects.kept.items()
        if name.startswith(f"quarantine/bucket/{key}")
        for line in lines.splitlines()
    ]
    assert reasons == ["bad_mac"]


def test_object_with_quarantined_lines_is_parked_so_that_they_are_kept_once() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call(b"1"), call(b"2"))
    pipeline.lines[0] = pipeline.lines[0][:-30]

    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    let_go(pipeline)
    pipeline.take_in(message.body)

    assert len(pipeline.take_sent()) == 1
    assert pipeline.meter.counts[metric.QUARANTINED] == 1


def test_scouts_are_expanded_while_the_rest_of_their_object_stays() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.gate_items.images[ORDERS] = replace(pipeline.gate_items.images[ORDERS], waiting=0)
    ids = pipeline.capture(*[call(b"%d" % n) for n in range(10)])

    pipeline.take_in(pipeline.store())

    scouts = ids_of(pipeline.take_sent())
    assert 1 <= len(scouts) < 10
    (message,) = take_folded(pipeline)
    assert fold_of(message).records == 10 - len(scouts)
    # The same from a folded object.
    hold(pipeline)
    pipeline.gate_items.images[ORDERS] = replace(pipeline.gate_items.images[ORDERS], waiting=0)
    assert pipeline.take_in(message.body) == []
    scouts += ids_of(pipeline.take_sent())
    (message,) = take_folded(pipeline)
    assert fold_of(message).records == 10 - len(scouts)
    let_go(pipeline)
    pipeline.take_in(message.body)
    assert scouts + ids_of(pipeline.take_sent()) == ids


def test_large_object_is_parked_in_parts_that_one_decision_can_take() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*[call(b"%d" % n) for n in range(1050)])

    pipeline.take_in(pipeline.store())

    messages = take_folded(pipeline)
    assert [fold_of(message).records for message in messages] == [1000, 50]
    pipeline.objects.kept = parked(pipeline)
    let_go(pipeline)
    sent = []
    for message in messages:
        assert pipeline.take_in(message.body) == []
        sent += ids_of(pipeline.take_sent())
        pipeline.gate_items.images[ORDERS] = replace(pipeline.gate_items.images[ORDERS], waiting=0)
    assert sent == ids


@pytest.mark.parametrize("fault", ["put", "send", "keys", "get"])
def test_fault_at_any_step_of_parking_repeats_it_with_the_same_result(fault: str) -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*[call(b"%d" % n, function=(ORDERS, MAIL)[n % 2]) for n in range(20)])
    body = pipeline.store()
    match fault:
        case "put" | "get":
            pipeline.objects.faults.fail(fault)
        case "send":
            pipeline.capture_queue.faults.fail("send")
        case _:
            pipeline.keys.faults.fail("keys")

    assert pipeline.take_in(body) == ["n0"]
    assert pipeline.take_in(body, receive_count=2) == []

    assert len(parked(pipeline)) == 1
    assert {fold_of(message).records for message in take_folded(pipeline)} == {10}
    assert set(ids_of(pipeline.take_sent())) == set(ids[1::2])
    again = Pipeline()
    hold(again)
    again.lines = pipeline.lines
    again.take_in(again.store())
    assert parked(again) == parked(pipeline)


def test_an_object_that_lost_every_race_for_its_gate_is_counted_by_it_later() -> None:
    pipeline = Pipeline()
    let_go(pipeline)
    update = pipeline.gate_items.update
    races: list[Change] = []

    def lose(function: str, change: Change) -> Updated:
        races.append(change)
        if len(races) <= 3:
            return Updated(applied=False, image=pipeline.gate_items.images[function])
        return update(function, change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            InMemoryGateItems, "update", lambda _, function, change: lose(function, change)
        )
        pipeline.capture(*[call(b"%d" % n) for n in range(30)])
        pipeline.take_in(pipeline.store())
        (message,) = take_folded(pipeline)
        hold(pipeline)
        pipeline.take_in(message.body)

    image = pipeline.gate_items.images[ORDERS]
    assert (image.folded_objects, image.folded_records) == (1, 30)
    (message,) = take_folded(pipeline)
    assert fold_of(message).is_counted


def test_duplicate_notifications_and_folded_messages_run_each_call_once() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*[call(b"%d" % n, function=(ORDERS, MAIL)[n % 2]) for n in range(20)])
    body = pipeline.store()
    assert pipeline.take_in(body, body) == []
    first, second = take_folded(pipeline)
    assert len(parked(pipeline)) == 1
    let_go(pipeline)
    assert pipeline.take_in(first.body, second.body, second.body) == []

    messages = pipeline.take_sent()
    pipeline.functions.script = [SUCCEEDED] * 100
    pipeline.replay(*messages)

    assert len(messages) > len(ids)
    assert len(pipeline.functions.invoked) == len(ids)


def test_expansion_that_runs_out_of_time_goes_on_where_it_stopped() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*[call(b"%d" % n) for n in range(3 * CHUNK - 50)])
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    sent = []
    for _ in range(3):
        let_go(pipeline)
        (ref,) = read_notification(message.body)
        assert pipeline.unpacker().run(ref, lambda: 1_000) is None
        sent += ids_of(pipeline.take_sent())
        message = (take_folded(pipeline) or [message])[0]

    assert sent == ids
    assert pipeline.capture_queue.sent == []


def test_expansion_cut_short_before_anything_was_folded_parks_the_rest_at_once() -> None:
    pipeline = Pipeline()
    let_go(pipeline)
    ids = pipeline.capture(*[call(b"%d" % n) for n in range(150)])
    pipeline.store("captured/x")

    pipeline.unpacker().run(
        ObjectRef(bucket="bucket", key="captured/x"),
        # Short of time once the first are sent.
        lambda: 1_000 if pipeline.replay_queue.sent else 100_000,
    )

    sent = ids_of(pipeline.take_sent())
    assert sent == ids[:CHUNK]
    (message,) = take_folded(pipeline)
    assert (message.delay_s, fold_of(message).records) == (0, 50)
    assert not fold_of(message).is_counted


def test_object_that_nobody_counted_is_counted_at_its_first_look_only() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    fold = Fold(
        function=ORDERS,
        records=50,
        since="2026-11-21T10:00:00Z",
        source=SOURCE,
        is_counted=False,
    )
    body = write_continuation(ObjectRef(bucket="bucket", key="parked/x", fold=fold), PIPELINE_KEYS)

    assert pipeline.take_in(body) == []
    (message,) = take_folded(pipeline)
    assert fold_of(message).is_counted
    assert pipeline.take_in(message.body) == ["n0"]
    assert pipeline.gate_items.images[ORDERS].folded_records == 50


def test_long_wait_is_renewed_before_the_queue_counts_it_out() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call())
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)

    assert pipeline.take_in(message.body, receive_count=RENEW_RECEIVES - 1) == ["n0"]
    assert pipeline.take_in(message.body, receive_count=RENEW_RECEIVES) == []

    (renewed,) = take_folded(pipeline)
    assert renewed.body == message.body
    assert 0 < renewed.delay_s <= 900


def test_renewal_that_the_queue_refuses_loses_nothing() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call())
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    pipeline.capture_queue.faults.fail("send", times=2)

    assert pipeline.take_in(message.body, receive_count=RENEW_RECEIVES) == ["n0"]


def test_folded_object_that_is_gone_is_given_up_for_its_faults_and_not_for_its_waits() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call())
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    pipeline.objects.kept.clear()
    looks = 0
    while pipeline.capture_dlq.sent == []:
        let_go(pipeline)
        # It was received often, for a long hold.
        assert pipeline.take_in(message.body, receive_count=RENEW_RECEIVES - 1) == []
        looks += 1
        message = (take_folded(pipeline) or [message])[0]

    assert looks == MAX_RECEIVES + 1
    (letter,) = pipeline.capture_dlq.sent
    assert "NoSuchKey" in (letter.attributes or {})["reason"]


def test_object_that_waited_for_half_its_life_is_expanded_whatever_the_gate_says() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call())
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    pipeline.clock.advance(15 * 86_400)
    hold(pipeline)
    assert pipeline.take_in(message.body) == ["n0"]
    pipeline.clock.advance(1)
    hold(pipeline)

    assert pipeline.take_in(message.body) == []

    assert len(pipeline.take_sent()) == 1
    assert pipeline.gate_items.images[ORDERS].waiting == 6


def test_store_that_is_away_for_hours_never_gives_a_folded_object_up() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call())
    pipeline.take_in(pipeline.store())
    (message,) = take_folded(pipeline)
    for receive_count in range(2, RENEW_RECEIVES + 1):
        pipeline.gate_items.faults.fail("read")
        pipeline.ledger.faults.fail("record")
        again = pipeline.take_in(message.body, receive_count=receive_count)
        assert again == (["n0"] if receive_count < RENEW_RECEIVES else [])
    let_go(pipeline)
    (message,) = take_folded(pipeline)

    assert pipeline.take_in(message.body) == []
    assert len(pipeline.take_sent()) == 1
    assert pipeline.capture_dlq.sent == []


def test_expansions_are_spread_as_the_gate_asks() -> None:
    pipeline = Pipeline(draw=0.999)
    let_go(pipeline)
    pipeline.gate_items.images[ORDERS] = replace(pipeline.gate_items.images[ORDERS], window=10.0)
    pipeline.capture(*[call(b"%d" % n) for n in range(300)])
    pipeline.take_in(pipeline.store())
    assert {message.delay_s for message in pipeline.take_sent()} <= set(range(1, 61))


@pytest.mark.parametrize(
    "fold",
    [
        7,
        {},
        {"function": ORDERS, "records": "many", "since": "2026-11-21T10:00:00Z", "source": "s"},
        {"function": ORDERS, "records": 1, "since": "yesterday", "source": "s"},
    ],
)
def test_folded_message_that_makes_no_sense_is_quarantined(fold: object) -> None:
    pipeline = Pipeline()
    document = json.loads(write_continuation(ObjectRef(bucket="bucket", key="k"), PIPELINE_KEYS))
    document["Records"][0]["reprise"]["fold"] = fold

    assert pipeline.take_in(json.dumps(document)) == []
    assert pipeline.meter.counts[metric.QUARANTINED] == 1


def test_folded_message_keeps_all_that_is_known_of_its_object() -> None:
    fold = Fold(function=ORDERS, records=3, since="2026-11-21T10:00:00Z", source=SOURCE, faults=2)
    ref = ObjectRef(bucket="b", key="parked/a+b", version_id="v", skip=9, fold=fold)
    assert read_notification(write_continuation(ref, PIPELINE_KEYS)) == (ref,)
    assert read_notification(notification("captured/x"))[0].fold is None


def test_refusal_of_a_parked_object_is_an_error_and_no_silence() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    pipeline.capture(call(b"1"), call(b"2", function=MAIL))
    pipeline.store("captured/x")
    pipeline.objects.faults.fail("put")
    with pytest.raises(StoreError):
        pipeline.unpacker().run(ObjectRef(bucket="bucket", key="captured/x"), lambda: 300_000)


@pytest.mark.parametrize("used_s_ago", [None, 61])
def test_a_target_that_nobody_used_of_late_is_tried_with_a_few_calls_first(
    used_s_ago: int | None,
) -> None:
    pipeline = Pipeline()
    ids = pipeline.capture(*[call(b"%d" % n) for n in range(100)])
    if used_s_ago is not None:
        used_at_ms = int(pipeline.clock().timestamp() - used_s_ago) * 1000
        pipeline.gate_items.images[ORDERS] = GateState(window=99.0, succeeded_at_ms=used_at_ms)

    pipeline.take_in(pipeline.store())

    assert ids_of(pipeline.take_sent()) == ids[:INITIAL_EXPANSION]
    (message,) = take_folded(pipeline)
    assert (message.delay_s, fold_of(message).records) == (2, 100 - INITIAL_EXPANSION)
    assert pipeline.gate_items.images[ORDERS].folded_records == 100 - INITIAL_EXPANSION
    now_ms = int(pipeline.clock().timestamp()) * 1000
    used = replace(pipeline.gate_items.images[ORDERS], window=99.0, succeeded_at_ms=now_ms)
    pipeline.gate_items.images[ORDERS] = used
    assert pipeline.take_in(message.body) == []
    assert ids_of(pipeline.take_sent()) == ids[INITIAL_EXPANSION:]
    assert pipeline.gate_items.images[ORDERS].folded_records == 0
