"""What the binary writes is what the pipeline reads."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING

from endpoint_place import ARN, KEYS, LOST, THROTTLED, TRUSTED, Answer, run
from reprise.call.outcome import KIND_BY_CODE, OutcomeKind, classify_error
from reprise.call.payload import unpack
from reprise.call.said import read_said
from reprise.call.target import Target, id_of
from reprise.capturing.line import MAX_LINE_BYTES, read_line
from reprise.capturing.status_token import read_status_token
from reprise.errors import BadRequestError
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


def text_of(chance: random.Random) -> str:
    """Return text of several planes, controls and blanks among it; and all of it old."""
    bounds = (
        (0, 0x20),
        (0x20, 0x7F),
        (0x7F, 0x300),
        (0x2000, 0x2060),
        (0xE000, 0xF800),
        (0x1F300, 0x1F600),
    )
    return "".join(
        chr(chance.randrange(*chance.choice(bounds))) for _ in range(chance.randrange(40))
    )


def test_whatever_is_said_both_read_the_same_of_it(place: Place) -> None:
    chance = random.Random(7)
    for _ in range(150):
        payload, message = text_of(chance), text_of(chance)
        code, key = chance.choice([*KIND_BY_CODE, "Unheard-of"]), "k" * chance.randrange(1, 200)
        place.world.answer = Answer(
            chance.choice([429, 500, 503]),
            json.dumps({"message": message}, ensure_ascii=chance.random() < 0.5).encode(),
            {"x-amzn-errortype": code},
        )
        before = len(place.world.lines)
        answer = place.invoke(payload.encode(), Amz_Sdk_Invocation_Id=key)
        expected = classify_error(code, place.world.answer.status, message)
        assert (answer.status == 202) == (expected.kind is not OutcomeKind.PERMANENT)
        if answer.status == 202:
            record = read_line(place.world.lines[before], TRUSTED)
            assert record is not None
            assert unpack(record.payload) == payload.encode()
            assert (record.outcome.kind, record.outcome.message or "") == (
                expected.kind,
                expected.message,
            )


INSTANTS = (
    "2030-01-01T00:00:00Z",
    "2030-01-01T00:00:00.123456789+01:00",
    "2030-01-01 00:00z",
    "20300101T000000-0130",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
    "2030-02-30T00:00:00Z",
    "2030-01-01T00:00:00",
    "2030-01-01T00:00:00Z\n",
    "soon",
)


def said_by(chance: random.Random) -> dict[str, object]:
    """Return what a caller may say of its call, by names of the client context."""
    names: tuple[object, ...] = (
        "k",
        "k" * 256,
        "k" * 257,
        "two words",
        "",
        "ü",
        "\u2028",
        5,
        None,
        {},
        "!~",
    )
    said: dict[str, object] = {"not_after": chance.choice(INSTANTS), "other": chance.random()}
    said |= {name: chance.choice(names) for name in ("idempotency_key", "scope")}
    return {name: value for name, value in said.items() if chance.random() < 0.6}


def test_what_a_caller_says_of_its_call_both_read_the_same(place: Place) -> None:
    place.world.answer = THROTTLED
    chance = random.Random(11)
    taken = 0
    for number in range(200):
        document = {"custom": {"reprise": said_by(chance)}}
        text = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode()
        if chance.random() < 0.1:
            text = text.replace(b"k", b"\xff", 1)
        context = base64.b64encode(text).decode()
        try:
            said = read_said({}, context)
            is_right = said.scope is None or said.idempotency_key is not None
        except BadRequestError:
            is_right = False
        before = len(place.world.lines)
        # A payload of its own: a key with another is another call.
        answer = place.invoke(str(number).encode(), X_Amz_Client_Context=context)
        if not is_right:
            assert (answer.status, len(place.world.lines)) == (400, before), text
        elif len(place.world.lines) > before:
            record = read_line(place.world.lines[before], TRUSTED)
            assert record is not None
            found = (record.idempotency_key or None, record.scope or None, record.not_after)
            assert found == (said.idempotency_key, said.scope, said.not_after), text
            taken += 1
        else:
            assert said.idempotency_key is not None, answer
    assert taken > 20


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
    (record,) = [read_line(line, TRUSTED) for line in world.said.splitlines()]
    assert record is not None
    assert record.target.function == ARN + "orders"


def test_payloads_and_keys_are_in_no_log(world: World) -> None:
    secrets = {"PLANTED-PAYLOAD", "PLANTED-KEY", "PLANTED-ERROR", "PLANTED-CONTEXT"}
    context = base64.b64encode(b'{"custom": {"a": "PLANTED-CONTEXT"}}').decode()
    answers = [
        Answer(429, b'{"message": "PLANTED-ERROR"}', THROTTLED.headers),
        Answer(500, b"PLANTED-ERROR"),
        Answer(200, b'{"errorType": "PLANTED-ERROR"}', {"x-amz-function-error": "Unhandled"}),
        LOST,
    ]
    for refused in ({}, {"PutLogEvents": "AccessDeniedException"}, {"GetParameter": "Nothing"}):
        world.refuse = refused
        for place in run(world):
            for world.answer in answers:
                place.invoke(
                    b'"PLANTED-PAYLOAD"',
                    X_Reprise_Idempotency_Key="PLANTED-KEY",
                    X_Amz_Client_Context=context,
                )
        assert not [text for text in secrets if text in world.said], world.said
        assert context not in world.said
    assert "call was not captured" in world.said
