from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doubles import FakeClock, FakeKeys, FakeMeter, InMemoryObjects
from reprise.call.outcome import classify_reply
from reprise.call.payload import pack
from reprise.call.request import CallRequest, check_request
from reprise.call.target import Target
from reprise.capturing.invoker import Capturer
from reprise.capturing.line import MAX_LINE_BYTES, Verifier, read_document, read_line, write_line
from reprise.capturing.record import Mac, Record
from reprise.capturing.signature import MacKeys
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError
from strategies import (
    ARN_PREFIX,
    KEY,
    KEYRING,
    KEYS,
    ORDERS,
    TRUSTED,
    json_values,
    make_record,
    records,
    signed_document,
)

REASONS = {
    "truncated",
    "unknown_version",
    "bad_mac",
    "invalid_record",
    "target_not_allowed",
    "payload_mismatch",
}
LINE = write_line(make_record(not_after="2026-11-22T00:00:00Z", client_context="e30="), KEYS)


CLAIM: dict[str, Any] = {"claim_check": {"bucket": "b", "key": "payloads/k"}, "size_bytes": 1}


def _unsigned(record: Record | None) -> Record | None:
    return None if record is None else msgspec.structs.replace(record, mac=None)


def _reason(message: str, trusted: Verifier = TRUSTED) -> str | None:
    """Return why a line is refused, or None if it is taken or is not ours."""
    try:
        read_line(message, trusted)
    except BadRecordError as error:
        return error.reason
    return None


def _signed(**changes: Any) -> str:
    return json.dumps(signed_document({**json.loads(LINE), **changes}))


def _unescaped(line: str) -> str:
    return json.dumps(json.loads(line), ensure_ascii=False)


def test_a_line_to_which_a_log_tool_adds_much_is_taken() -> None:
    added = f'{LINE[:-1]},"added":"{"x" * 900_000}"}}'
    assert _unsigned(read_line(added, TRUSTED)) == _unsigned(read_line(LINE, TRUSTED))


@given(record=records)
def test_a_record_survives_its_line(record: Record) -> None:
    line = write_line(record, KEYS)
    assert line.isascii()
    assert "\n" not in line
    assert _unsigned(read_line(line, TRUSTED)) == record


def test_a_line_is_signed_anew_whatever_mac_the_record_bears() -> None:
    record = make_record(mac=Mac(key_id="k9", value="old"))
    line = write_line(record, KEYS)
    assert _unsigned(read_line(line, TRUSTED)) == _unsigned(record)


def test_a_line_begins_as_the_subscription_filter_and_the_reader_expect() -> None:
    document = json.loads(LINE)
    assert LINE.startswith('{"reprise":1,')
    assert (document["event"], document["level"]) == ("invocation.captured", "ERROR")


@given(index=st.integers(0, len(LINE) - 1), char=st.characters(codec="utf-8"))
@example(index=LINE.index("1"), char=" ")
@example(index=1, char=" ")
def test_no_flipped_character_yields_another_record(index: int, char: str) -> None:
    altered = LINE[:index] + char + LINE[index + 1 :]
    if _reason(altered) is None:
        record = read_line(altered, TRUSTED)
        assert record is None or _unsigned(record) == _unsigned(read_line(LINE, TRUSTED))
    else:
        assert _reason(altered) in REASONS


@given(length=st.integers(0, len(LINE) - 1))
def test_a_cut_line_is_in_quarantine_unless_nothing_shows_that_it_is_ours(length: int) -> None:
    expected = "truncated" if length >= len('{"reprise":') else None
    assert _reason(LINE[:length]) == expected


@given(text=st.text() | json_values.map(json.dumps))
def test_any_other_line_is_none_of_ours(text: str) -> None:
    assert read_line(text, TRUSTED) is None


@pytest.mark.parametrize(
    "message",
    [
        "",
        "START RequestId: 1",
        '{"event":"invocation.captured2"}',
        '["invocation.captured"]',
        f"2026-11-21T10:00:00Z ERROR {LINE}",
        f"{LINE} {LINE}",
        "[" * 100_000,
        "1" * 5000,
    ],
    ids=["empty", "platform", "other event", "array", "prefixed", "glued", "deep", "long number"],
)
def test_a_line_that_is_not_ours_is_passed_over(message: str) -> None:
    if message.startswith("{") and message.count("reprise") > 1:
        assert _reason(message) == "truncated"
    else:
        assert read_line(message, TRUSTED) is None


@pytest.mark.parametrize("depth", [9_000, 9_990, 9_995, 9_996, 9_997, 9_998, 9_999, 20_000])
def test_a_deep_line_is_refused_and_never_raises_otherwise(depth: int) -> None:
    """It is no field of ours, and so is not looked at, unless the parser gives up before."""
    line = f'{LINE[:-1]},"x":{"[" * depth + "]" * depth}}}'
    assert _reason(line) in {None, "truncated"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (_signed(reprise=2), "unknown_version"),
        (_signed(reprise=True), "unknown_version"),
        (_signed(reprise=None), "unknown_version"),
        (_signed(reprise=1.0), "invalid_record"),
        (LINE.replace("order-1", "order-2"), "bad_mac"),
        (_signed(captured_at="yesterday"), "invalid_record"),
        (_signed(captured_at="2026-11-21T10:00:00"), "invalid_record"),
        (_signed(not_after=""), "invalid_record"),
        (_signed(level="INFO"), "invalid_record"),
        (_signed(id=5), "invalid_record"),
        (_signed(target={"function": "orders"}), "target_not_allowed"),
        (_signed(target={"function": f"{ORDERS}:live"}), "target_not_allowed"),
        (_signed(target={"function": ORDERS.replace("eu", "us")}), "target_not_allowed"),
        (_signed(payload={"inline": "x", "size_bytes": 1, "sha256": "0"}), "payload_mismatch"),
        (_signed(payload={"size_bytes": 1, "sha256": "0"}), "invalid_record"),
    ],
)
def test_a_line_that_cannot_be_trusted_is_refused_with_its_reason(
    message: str, reason: str
) -> None:
    assert _reason(message) == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (_signed(captured_at=f"2026-11-21T10:00:00.{'0' * 300_000}Z"), "invalid_record"),
        (_signed(payload=CLAIM | {"sha256": "0" * 500_000}), "payload_mismatch"),
        (_signed(trace="x" * 900_000), "invalid_record"),
        (_unescaped(_signed(trace="\N{GRINNING FACE}" * 90_000)), "invalid_record"),
    ],
    ids=["instant", "digest", "long", "long once it is ascii"],
)
def test_a_line_of_more_than_a_row_or_a_message_holds_is_refused_however_well_signed(
    message: str, reason: str
) -> None:
    """Stores would refuse it for ever, and with it hold up all calls of its object."""
    assert _reason(message) == reason


def test_only_listed_targets_may_be_invoked_however_well_signed() -> None:
    assert _reason(LINE, Verifier(keys=KEYRING, targets=(f"{ARN_PREFIX}payments",))) == (
        "target_not_allowed"
    )


def test_a_claim_check_is_not_fetched_to_be_read() -> None:
    payload = {
        "claim_check": {"bucket": "b", "key": "k", "version_id": None},
        "size_bytes": 9_000_000,
        "sha256": "0" * 64,
    }
    record = read_line(_signed(payload=payload), TRUSTED)
    assert record is not None
    assert record.payload.claim_check is not None


def test_fields_of_a_later_version_are_left_alone() -> None:
    assert read_line(_signed(region="eu-west-1"), TRUSTED) is not None


@given(
    document=st.fixed_dictionaries(
        {"event": st.just("invocation.captured")},
        optional=dict.fromkeys(
            ("reprise", "id", "target", "payload", "outcome", "mac", "captured_at"), json_values
        ),
    )
)
def test_any_forged_document_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadRecordError) as caught:
        read_document(document, TRUSTED)
    assert caught.value.reason in {"unknown_version", "bad_mac", "invalid_record"}


@given(document=st.dictionaries(st.sampled_from(list(json.loads(LINE))), json_values))
def test_any_document_decodes_or_is_an_invalid_record(document: dict[str, Any]) -> None:
    changed = json.loads(LINE) | document
    try:
        record = decode_record(changed)
    except BadRecordError as error:
        assert str(error).startswith("invalid_record: ")  # noqa: PT017 - both ends are right
    else:
        assert record.id == changed["id"]


def test_the_longest_line_is_not_cut_on_its_way() -> None:
    """Every field at its longest, in the characters that JSON spells longest."""
    emoji = "\N{GRINNING FACE}"
    error = json.dumps({"errorType": emoji * 300, "errorMessage": emoji * 2000}).encode()
    request = CallRequest(
        target=Target(
            function=f"{ARN_PREFIX}{'f' * 140}", qualifier="q" * 128, tenant_id="t" * 256
        ),
        payload=b"\x00" * 31_000,
        client_context="x" * 3583,
        idempotency_key="k" * 256,
        not_after="2026-11-21T12:00:00.000000Z",
        trace="Root=1-00000000-000000000000000000000000;" * 20,
    )
    check_request(request)
    lines: list[str] = []
    capturer = Capturer(
        keys=FakeKeys(MacKeys("s" * 64, "k" * 64, {"k" * 64: KEY}, ("*",))),
        objects=InMemoryObjects(),
        sink=lines.append,
        clock=FakeClock(),
        random_bytes=bytes,
        meter=FakeMeter(),
    )
    for length in range(29_000, 33_000, 50):
        data = b"\x00" * length
        assert pack(data, MAX_LINE_BYTES) is not None
        capturer.capture(
            replace(request, payload=data), classify_reply(200, "Unhandled", error, "r" * 36)
        )
    assert max(map(len, lines)) <= MAX_LINE_BYTES
