"""What the binary writes is what the pipeline reads."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING

from endpoint_place import ARN, KEYS, LOST, THROTTLED, Answer, run
from reprise.call.outcome import OutcomeKind
from reprise.call.payload import unpack
from reprise.call.target import Target, id_of
from reprise.capturing.line import MAX_LINE_BYTES
from reprise.capturing.signature import read_status_token
from reprise.instant import parse_instant

if TYPE_CHECKING:
    from endpoint_place import Place, World

ODD = 'ü€😀\u2028"\\</>&\x7f'


def test_the_reader_trusts_a_line_of_every_kind_and_finds_the_payload(place: Place) -> None:
    world = place.world
    world.answer = THROTTLED
    noise = random.Random(1).randbytes(400_000)
    payloads = [b"", b"{}", ODD.encode(), b"\xff\xfe", b"x" * 500_000, noise]
    for payload in payloads:
        assert place.invoke(payload).status == 202
    records = world.records()
    assert len(records) == len(payloads)
    for record, payload in zip(records, payloads, strict=True):
        check = record.payload.claim_check
        fetched = None if check is None else world.objects[f"/{check.bucket}/{check.key}"]
        assert unpack(record.payload, fetched) == payload
    assert records[-1].payload.claim_check is not None
    assert all(len(line) <= MAX_LINE_BYTES and line.isascii() for line in world.lines)


def test_a_line_says_all_that_was_asked_for(place: Place) -> None:
    place.world.answer = Answer(
        429,
        b'{"message": "Rate \\u001b[31mExceeded", "Reason": "CallerRateLimitExceeded"}',
        {
            "x-amzn-errortype": "TooManyRequestsException",
            "retry-after": "2",
            "x-amzn-requestid": "r",
        },
    )
    context = base64.b64encode(json.dumps({"custom": {"a": "ü"}}).encode()).decode()
    answer = place.invoke(
        name="orders%3Alive",
        X_Amz_Client_Context=context,
        X_Amz_Tenant_Id="tenant 1",
        X_Amzn_Trace_Id="Root=1-2-3;Sampled=1",
        Amz_Sdk_Invocation_Id="inv-1",
        X_Reprise_Not_After="2026-12-01T00:00:00+01:00",
    )
    (record,) = place.world.records()
    target = Target(function=ARN + "orders", qualifier="live", tenant_id="tenant 1")
    assert record.target == target
    assert record.id == id_of(target, source="web-shop", scope=None, key="sdk:inv-1")
    assert (record.client_context, record.trace) == (context, "Root=1-2-3;Sampled=1")
    assert record.not_after == "2026-11-30T23:00:00.000000Z"
    outcome = record.outcome
    assert (outcome.kind, outcome.reason) == (OutcomeKind.THROTTLED, "CallerRateLimitExceeded")
    assert (outcome.retry_after_s, outcome.request_id) == (2.0, "r")
    assert outcome.message == "Rate \\x1b[31mExceeded"
    token = read_status_token(record.id, answer.headers["x-reprise-status-token"], KEYS)
    assert token is not None
    assert token.captured_at == parse_instant(record.captured_at)
    assert record.payload.sha256.startswith(token.sha256)


def test_a_lost_answer_is_an_unknown_outcome(place: Place) -> None:
    place.world.answer = LOST
    assert place.invoke().status == 202
    (record,) = place.world.records()
    assert record.outcome.kind is OutcomeKind.UNKNOWN


def test_lines_go_to_standard_output_where_that_is_captured_from(world: World) -> None:
    for place in run(world, REPRISE_CAPTURE_LOG_GROUP="stdout"):
        world.answer = THROTTLED
        assert place.invoke().status == 202
        assert world.lines == []
        assert place.health()["counts"]["Captured"] == 1
