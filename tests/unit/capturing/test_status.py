"""Who may know how a captured call stands, and what they are told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from doubles import FakeKeys
from harness import FAILED, GONE, KEYS, THROTTLED, Pipeline, call
from reprise.call.payload import digest
from reprise.capturing.answer import write_refusal
from reprise.capturing.signature import MacKeys
from reprise.capturing.status import StatusReader
from reprise.capturing.status_token import token_digest
from reprise.errors import BadRequestError
from reprise.ports import Reply
from reprise.testing import SUCCEEDED
from strategies import json_values

if TYPE_CHECKING:
    from reprise.capturing.invoker import Captured

KEY = "payslip-2026-11-bob"
_FIRST = "the first secret of the invoker, of tests"
ROTATED = MacKeys("invoker", "k2", {"k1": _FIRST, "k2": _FIRST[::-1]}, ("*",))
STRANGERS = MacKeys("invoker", "k1", {"k1": "the first secret of another stack"}, ("*",))


def _capture(pipeline: Pipeline, payload: bytes = b"1", key: str | None = KEY) -> Captured:
    pipeline.lines.clear()
    return pipeline.capturer().capture(call(payload, key=key), THROTTLED.outcome)


def _take_in(pipeline: Pipeline, name: str = "first") -> None:
    assert pipeline.take_in(pipeline.store(f"captured/{name}.gz")) == []


def _ask(pipeline: Pipeline, **event: object) -> dict[str, Any]:
    stage = StatusReader(
        keys=pipeline.invoker_keys,
        ledger=pipeline.ledger,
        objects=pipeline.objects,
        bucket=pipeline.objects.bucket,
        waiter=pipeline.waiter(),
        call_timeout_s=pipeline.call_timeout_s,
    )
    try:
        answer = stage.run(event)
    except BadRequestError as error:
        answer = write_refusal(error)
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]


def _of(pipeline: Pipeline, captured: Captured) -> dict[str, Any]:
    return _ask(pipeline, StatusOf=captured.call_id, StatusToken=captured.status_token)


@pytest.mark.parametrize("key", [KEY, None])
def test_a_caller_learns_its_late_result(key: str | None) -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline, key=key)
    _take_in(pipeline)
    pipeline.replay(*pipeline.take_sent())
    answer = _of(pipeline, captured)
    assert (answer["StatusCode"], answer["Payload"]) == (200, '{"ok":true}')
    assert (answer["reprise"]["id"], answer["reprise"]["state"]) == (captured.call_id, "succeeded")


def test_a_late_result_that_is_long_or_no_text_comes_from_the_bucket() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [Reply(outcome=SUCCEEDED.outcome, payload=b"\xff" * 5000)]
    captured = _capture(pipeline)
    _take_in(pipeline)
    pipeline.replay(*pipeline.take_sent())
    assert len(_of(pipeline, captured)["PayloadBase64"]) > 5000


def test_a_call_is_found_as_soon_as_it_is_captured() -> None:
    """Before its line is delivered, and while its object waits in S3."""
    pipeline = Pipeline()
    captured = _capture(pipeline)
    answer = _of(pipeline, captured)
    assert (answer["StatusCode"], answer["reprise"]["state"]) == (200, "captured")
    assert answer["reprise"]["id"] == captured.call_id
    assert answer["reprise"]["captured_at"] == json.loads(pipeline.lines[0])["captured_at"]


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("token", [None, "", "x", 7, {"a": 1}, f"{'0' * 16}.1.{'0' * 32}"])
def test_without_its_token_nobody_learns_even_whether_a_call_exists(
    is_there: bool,
    token: object,
) -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)
    if is_there:
        _take_in(pipeline)
        pipeline.replay(*pipeline.take_sent())
    with_token = _ask(pipeline, StatusOf=captured.call_id, StatusToken=token)
    without = _ask(pipeline, StatusOf=captured.call_id)
    elsewhere = _ask(Pipeline(), StatusOf="orders:nothing", StatusToken=token)
    assert with_token == without == elsewhere
    assert with_token["StatusCode"] == 403
    assert with_token["error"]["field"] == "StatusToken"


def test_a_token_opens_its_own_call_only() -> None:
    pipeline = Pipeline()
    mine, theirs = _capture(pipeline, key=None), _capture(pipeline, key=KEY)
    answer = _ask(pipeline, StatusOf=theirs.call_id, StatusToken=mine.status_token)
    assert answer["StatusCode"] == 403


def test_a_token_lasts_as_long_as_its_key() -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)
    pipeline.invoker_keys.current = ROTATED
    assert _of(pipeline, captured)["StatusCode"] == 200
    pipeline.invoker_keys.current = STRANGERS
    assert _of(pipeline, captured)["StatusCode"] == 403
    pipeline.invoker_keys.current = KEYS
    assert _of(pipeline, captured)["StatusCode"] == 200


def test_a_key_repeated_with_another_payload_shows_nothing_of_the_first_call() -> None:
    """Somebody who guesses the key and is told 202, since the other call is not in the ledger yet."""
    pipeline = Pipeline()
    theirs = _capture(pipeline, b"theirs")
    _take_in(pipeline, "theirs")
    ours = _capture(pipeline, b"ours")
    assert ours.call_id == theirs.call_id
    assert ours.status_token != theirs.status_token
    assert _of(pipeline, ours)["reprise"]["state"] == "captured"
    _take_in(pipeline, "ours")
    pipeline.replay(*pipeline.take_sent())

    answer = _of(pipeline, ours)["reprise"]
    assert (answer["state"], answer["reason"]) == ("dead_lettered", "key_conflict")
    assert answer["id"].startswith(f"{ours.call_id}!")
    assert _of(pipeline, theirs)["Payload"] == '{"ok":true}'

    pipeline.clock.advance(60)
    again = _capture(pipeline, b"ours")
    _take_in(pipeline, "again")
    assert _of(pipeline, again)["reprise"]["reason"] == "key_conflict"


def test_a_capture_after_the_end_is_not_told_the_end_before_it() -> None:
    """That would be the end of an earlier capture; this one is going to open the call again."""
    pipeline = Pipeline()
    first = _capture(pipeline)
    _take_in(pipeline)
    pipeline.functions.script = [GONE]
    pipeline.replay(*pipeline.take_sent())
    assert _of(pipeline, first)["reprise"]["state"] == "dead_lettered"

    pipeline.clock.advance(60)
    second = _capture(pipeline)
    assert _of(pipeline, first)["reprise"]["state"] == "dead_lettered"
    assert _of(pipeline, second)["reprise"]["state"] == "captured"

    _take_in(pipeline, "second")
    pipeline.replay(*pipeline.take_sent())
    assert _of(pipeline, second)["reprise"]["state"] == "succeeded"
    assert _of(pipeline, first)["Payload"] == '{"ok":true}'


def test_a_capture_that_grew_too_old_with_its_call_is_told_so() -> None:
    pipeline = Pipeline()
    captures = []
    for number in range(3):
        captures.append(_capture(pipeline))
        _take_in(pipeline, f"{number}")
        pipeline.clock.advance(60)
    pipeline.clock.advance(7 * 3600)
    pipeline.replay(*pipeline.take_sent())
    answers = [_of(pipeline, captured)["reprise"] for captured in captures]
    assert [(answer["state"], answer["reason"]) for answer in answers] == [
        ("dead_lettered", "expired")
    ] * 3
    assert len(pipeline.dead_letters.sent) == 1


def test_a_capture_whose_own_message_ends_the_call_is_told_that_end() -> None:
    """The message of a later capture comes first, and finds both too old."""
    pipeline = Pipeline()
    captures = []
    for number in range(2):
        captures.append(_capture(pipeline))
        _take_in(pipeline, f"{number}")
        pipeline.clock.advance(60)
    pipeline.clock.advance(7 * 3600)
    _, second = pipeline.take_sent()
    pipeline.replay(second)
    for captured in captures:
        assert _of(pipeline, captured)["reprise"]["reason"] == "expired"


def test_a_capture_before_an_end_for_good_is_told_that_end() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    first, second = _capture(pipeline), None
    _take_in(pipeline)
    pipeline.clock.advance(10)
    second = _capture(pipeline)
    pipeline.clock.advance(10)
    pipeline.functions.script = [FAILED]
    pipeline.replay(*pipeline.take_sent())
    for captured in (first, second):
        assert _of(pipeline, captured)["reprise"]["reason"] == "exhausted"


@pytest.mark.parametrize(
    "call_id",
    ["", "x" * 1025, "a b", "a\n", "\x1b]52;c;", "é", "\ud800", None, 7, True, [], {}],
    ids=lambda value: repr(value)[:12],
)
def test_an_id_that_can_be_none_is_refused_by_field(call_id: object) -> None:
    answer = _ask(Pipeline(), StatusOf=call_id, StatusToken="x")
    assert (answer["StatusCode"], answer["error"]["field"]) == (400, "StatusOf")
    assert answer["error"]["next_step"]


@pytest.mark.parametrize(
    "call_id", ["gate#arn", "book#orders", "job#nightly", "observer#x", "../x", "x" * 1024]
)
def test_an_id_of_something_else_is_as_unknown_as_any(call_id: str) -> None:
    assert _ask(Pipeline(), StatusOf=call_id)["StatusCode"] == 403


def test_a_field_that_a_question_has_not_is_named() -> None:
    answer = _ask(Pipeline(), StatusOf="x", FunctionName="orders")
    assert answer["StatusCode"] == 400
    assert "FunctionName" in answer["error"]["message"]


@given(call_id=json_values, token=json_values)
def test_any_question_gets_an_answer_of_kind_4xx(call_id: object, token: object) -> None:
    answer = _ask(Pipeline(), StatusOf=call_id, StatusToken=token)
    assert answer["StatusCode"] in {400, 403}


def test_a_caller_learns_the_end_of_its_call_whose_payload_an_operator_replaced() -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)
    _take_in(pipeline)
    row = pipeline.ledger.rows[captured.call_id]
    edited = replace(row, sha256=digest(b"edited"), captured_sha256=row.sha256)
    pipeline.ledger.rows[captured.call_id] = edited
    assert _of(pipeline, captured)["reprise"]["state"] == "captured"


def _wait(pipeline: Pipeline, captured: Captured, wait_s: object) -> dict[str, Any]:
    return _ask(
        pipeline,
        StatusOf=captured.call_id,
        StatusToken=captured.status_token,
        WaitSeconds=wait_s,
    )


def test_a_caller_that_waits_is_answered_when_its_call_has_ended() -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)

    def go_on(seconds: float) -> None:
        pipeline.clock.advance(seconds)
        if pipeline.ledger.rows:
            pipeline.replay(*pipeline.take_sent())
        else:
            _take_in(pipeline)

    pipeline.pause = go_on
    answer = _wait(pipeline, captured, 30)
    assert (answer["reprise"]["state"], answer["Payload"]) == ("succeeded", '{"ok":true}')
    assert len(pipeline.pauses) == 2


def test_who_asks_for_a_call_that_has_ended_does_not_wait() -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)
    _take_in(pipeline)
    pipeline.replay(*pipeline.take_sent())
    assert _wait(pipeline, captured, 50)["reprise"]["state"] == "succeeded"
    assert pipeline.pauses == []


def test_when_time_is_over_a_caller_learns_how_its_call_stands() -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)
    assert _wait(pipeline, captured, 3)["reprise"]["state"] == "captured"
    assert sum(pipeline.pauses) == pytest.approx(3)
    assert max(pipeline.pauses) <= 1


@pytest.mark.parametrize("wait_s", [-1, 51, "5", True, [], float("nan"), 10**400])
def test_nobody_waits_longer_than_the_invoker_may(wait_s: object) -> None:
    pipeline = Pipeline()
    captured = _capture(pipeline)
    answer = _wait(pipeline, captured, wait_s)
    assert (answer["StatusCode"], answer["error"]["field"]) == (400, "WaitSeconds")
    pipeline.call_timeout_s = 35
    assert "from 0 to 35" in _wait(pipeline, captured, 36)["error"]["message"]


SHOP = MacKeys("shop", "k1", {"k1": "the first secret of the shop, of tests"}, ("*",))


def _capture_elsewhere(pipeline: Pipeline) -> Captured:
    """Capture by a library user, an endpoint or a plugin: by a source whose key the invoker may not read."""
    pipeline.keys.others = (KEYS, SHOP)
    pipeline.lines.clear()
    theirs = replace(pipeline.capturer(), keys=FakeKeys(SHOP))
    return theirs.capture(call(b"1", key=KEY), THROTTLED.outcome)


def test_the_invoker_tells_whoever_holds_another_sources_token_once_the_call_has_arrived() -> None:
    pipeline = Pipeline()
    captured = _capture_elsewhere(pipeline)
    assert _of(pipeline, captured)["StatusCode"] == 403
    _take_in(pipeline)
    assert _of(pipeline, captured)["reprise"]["state"] == "captured"
    pipeline.replay(*pipeline.take_sent())
    assert _of(pipeline, captured)["Payload"] == '{"ok":true}'


def test_no_other_token_opens_another_sources_call() -> None:
    pipeline = Pipeline()
    captured = _capture_elsewhere(pipeline)
    _take_in(pipeline)
    said, _, mac = captured.status_token.rpartition(".")
    for token in (f"{said}.{'0' * 32}", f"{said}.{mac[::-1]}", token_digest(captured.status_token)):
        assert _ask(pipeline, StatusOf=captured.call_id, StatusToken=token)["StatusCode"] == 403


def test_who_waits_with_another_sources_token_waits_for_the_calls_arrival_too() -> None:
    pipeline = Pipeline()
    captured = _capture_elsewhere(pipeline)
    pauses: list[float] = []

    def arrive(wait_s: float) -> None:
        pauses.append(wait_s)
        pipeline.clock.advance(wait_s)
        if len(pauses) == 2:
            _take_in(pipeline)
            pipeline.replay(*pipeline.take_sent())

    pipeline.pause = arrive
    answer = _ask(
        pipeline, StatusOf=captured.call_id, StatusToken=captured.status_token, WaitSeconds=20
    )
    assert answer["reprise"]["state"] == "succeeded"
