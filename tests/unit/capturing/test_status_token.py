from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeKeys
from reprise.capturing.line import sign_record, write_line
from reprise.capturing.signature import MacKeys, canonical
from reprise.capturing.status_token import (
    StatusToken,
    claimed_by,
    digest_of_token,
    read_status_token,
    token_digest,
    write_status_token,
)
from reprise.instant import format_instant
from strategies import KEYS, NOW, PIPELINE_KEYS, instants, make_record, texts

if TYPE_CHECKING:
    from datetime import datetime

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TOKEN = write_status_token("orders:order-1", SHA256, NOW, KEYS)
OLD = "0123456789abcdef0123456789abcdef"
FIRST = MacKeys("shop", "k1", {"k1": OLD})
ROTATED = MacKeys("shop", "k2", {"k1": OLD, "k2": OLD[::-1]})


@given(call_id=texts, sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True), at=instants)
def test_a_token_says_what_it_was_given(call_id: str, sha256: str, at: datetime) -> None:
    token = write_status_token(call_id, sha256, at, KEYS)
    expected = StatusToken(sha256=sha256[:16], captured_at=at)
    assert read_status_token(call_id, token, KEYS) == expected


@given(call_id=texts, other=texts)
def test_a_token_is_of_one_call(call_id: str, other: str) -> None:
    token = write_status_token(call_id, SHA256, NOW, KEYS)
    assert (read_status_token(other, token, KEYS) is not None) == (other == call_id)


@given(place=st.integers(0, len(TOKEN) - 1), char=st.sampled_from("0123456789abcdef."))
def test_a_token_that_is_changed_anywhere_is_none(place: int, char: str) -> None:
    forged = TOKEN[:place] + char + TOKEN[place + 1 :]
    is_genuine = read_status_token("orders:order-1", forged, KEYS) is not None
    assert is_genuine == (forged == TOKEN)


@pytest.mark.parametrize(
    "token",
    [
        *(None, 7, True, [], {}, "", "x", "..", "é", "\ud800", b"bytes", "0" * 100_000),
        *(TOKEN.upper(), f"{TOKEN}\n", f" {TOKEN}", TOKEN[:-1], f"{TOKEN}0", [TOKEN]),
    ],
    ids=lambda token: repr(token)[-20:],
)
def test_what_is_no_token_is_none(token: object) -> None:
    assert read_status_token("orders:order-1", token, KEYS) is None


def test_a_token_is_genuine_as_long_as_its_key_is_valid() -> None:
    by_first = write_status_token("orders:order-1", SHA256, NOW, FIRST)
    by_next = write_status_token("orders:order-1", SHA256, NOW, ROTATED)
    assert read_status_token("orders:order-1", by_first, ROTATED) is not None
    assert read_status_token("orders:order-1", by_next, ROTATED) is not None
    assert read_status_token("orders:order-1", by_next, FIRST) is None
    stranger = MacKeys("shop", "k1", {"k1": "another stack's key, which is as long"})
    assert read_status_token("orders:order-1", by_first, stranger) is None


def test_what_a_line_is_signed_over_never_begins_as_what_a_token_is_signed_over() -> None:
    """Whoever has a line's MAC has no token, and the other way round."""
    said, _, mac = TOKEN.rpartition(".")
    signed = b"reprise status token\n" + json.dumps(["orders:order-1", said]).encode()
    assert KEYS.macs(signed)[0].startswith(mac)
    assert canonical(json.loads(write_line(make_record(), KEYS))).startswith(b"{")


@given(text=st.text() | st.from_regex(r"[0-9a-f]{16}\.[0-9]{1,17}\.[0-9a-f]{32}", fullmatch=True))
def test_what_a_text_claims_is_read_without_an_error(text: str) -> None:
    claimed = claimed_by(text)
    assert claimed is None or text.startswith(claimed.sha256)


@given(at=instants)
def test_a_record_tells_its_token_by_whatever_key_signed_it(at: datetime) -> None:
    record = sign_record(make_record(captured_at=format_instant(at)), FIRST)
    token = write_status_token(record.id, record.payload.sha256, at, FIRST)
    keyring = FakeKeys(PIPELINE_KEYS, (ROTATED,))
    assert digest_of_token(record, keyring) == token_digest(token)


def test_the_ledger_keeps_the_first_half_of_a_tokens_sha256() -> None:
    assert token_digest("abc") == "ba7816bf8f01cfea414140de5dae2223"


def test_a_record_whose_key_is_gone_has_no_token() -> None:
    record = sign_record(make_record(), MacKeys("shop", "k9", {"k9": OLD}))
    assert digest_of_token(record, FakeKeys(PIPELINE_KEYS, (ROTATED,))) is None
    assert digest_of_token(make_record(), FakeKeys(PIPELINE_KEYS, ())) is None
