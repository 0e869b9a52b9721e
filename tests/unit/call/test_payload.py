from __future__ import annotations

import base64
import gzip
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.payload import ClaimCheck, Payload, digest, pack, unpack
from reprise.errors import PayloadError
from strategies import payload_bytes

CHECK = ClaimCheck(bucket="bucket", key="payloads/1")
NOISE = bytes(range(256)) * 4


@given(data=payload_bytes, budget_bytes=st.integers(0, 1000))
def test_what_is_packed_keeps_its_budget_and_comes_out_byte_for_byte(
    data: bytes, budget_bytes: int
) -> None:
    payload = pack(data, budget_bytes)
    if payload is None:
        return
    carried = payload.inline if payload.inline is not None else payload.gzip_base64
    assert len(json.dumps(carried)) <= budget_bytes
    assert unpack(payload) == data


@given(data=payload_bytes, extra=st.integers(0, 3))
def test_text_that_fits_stays_text(data: bytes, extra: int) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    payload = pack(data, len(json.dumps(text)) + extra)
    assert payload is not None
    assert payload.inline == text


@pytest.mark.parametrize(
    ("data", "budget_bytes", "way"),
    [
        (b"", 2, "inline"),
        (b"", 1, None),
        (b'{"a":1}', 11, "inline"),
        (b'{"a":1}', 10, None),
        (b"a" * 1000, 100, "gzip_base64"),
        (b"\xff\xfe", 100, "gzip_base64"),
        (NOISE[:256], 100, None),
    ],
)
def test_the_way_depends_on_the_room(data: bytes, budget_bytes: int, way: str | None) -> None:
    payload = pack(data, budget_bytes)
    if way is None:
        assert payload is None
    else:
        assert payload is not None
        assert getattr(payload, way) is not None


def test_the_same_bytes_always_pack_to_the_same_line() -> None:
    assert pack(NOISE, 10_000) == pack(NOISE, 10_000)


@given(data=payload_bytes, index=st.integers(0), flip=st.integers(1, 255))
def test_any_alteration_of_fetched_bytes_is_detected(data: bytes, index: int, flip: int) -> None:
    payload = Payload(claim_check=CHECK, size_bytes=len(data), sha256=digest(data))
    assert unpack(payload, data) == data
    altered = bytearray(data or b"\x00")
    altered[index % len(altered)] ^= flip
    for other in (bytes(altered), data + b"\x00", data[:-1] if data else b"x"):
        with pytest.raises(PayloadError):
            unpack(payload, other)


@given(data=payload_bytes, index=st.integers(0), char=st.characters(max_codepoint=127))
def test_any_alteration_of_a_carried_payload_is_detected(
    data: bytes, index: int, char: str
) -> None:
    for payload in (pack(data, 10_000), pack(b"\xff" + data, 10_000)):
        assert payload is not None
        way = "inline" if payload.inline is not None else "gzip_base64"
        text: str = getattr(payload, way)
        at = index % max(len(text), 1)
        altered = msgspec.structs.replace(payload, **{way: text[:at] + char + text[at + 1 :]})
        try:
            restored = unpack(altered)
        except PayloadError:
            continue
        # A flip in gzip's own header changes no payload.
        assert digest(restored) == payload.sha256


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (Payload(inline="\ud800", size_bytes=3, sha256=""), "lone surrogate"),
        (Payload(gzip_base64="no base64!", size_bytes=3, sha256=""), "cannot be inflated"),
        (Payload(gzip_base64="é", size_bytes=3, sha256=""), "cannot be inflated"),
        (Payload(gzip_base64="AAAA", size_bytes=3, sha256=""), "cannot be inflated"),
        (Payload(gzip_base64="", size_bytes=3, sha256=""), "0 bytes where 3"),
        (Payload(inline="abc", size_bytes=-1, sha256=""), "3 bytes where -1"),
        (Payload(inline="abc", size_bytes=3, sha256="0"), "sha256"),
        (Payload(claim_check=CHECK, size_bytes=3, sha256=""), "was not fetched"),
    ],
)
def test_a_payload_that_cannot_be_restored_says_why(payload: Payload, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        unpack(payload)


def test_a_gzip_bomb_is_inflated_no_further_than_announced() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(50_000_000), 9)).decode()
    with pytest.raises(PayloadError, match="4 bytes where 3"):
        unpack(Payload(gzip_base64=bomb, size_bytes=3, sha256=""))


@pytest.mark.parametrize("size_bytes", [2**31, 2**63 - 1, 2**63, 10**30, -(10**30)])
def test_an_absurd_size_is_a_payload_error(size_bytes: int) -> None:
    packed = base64.b64encode(gzip.compress(b"abc")).decode()
    with pytest.raises(PayloadError, match=r"\d bytes where"):
        unpack(Payload(gzip_base64=packed, size_bytes=size_bytes, sha256=""))


@pytest.mark.parametrize(
    "ways",
    [{}, {"inline": "", "gzip_base64": ""}, {"inline": "a", "claim_check": CHECK}],
)
def test_a_payload_travels_in_exactly_one_way(ways: dict[str, object]) -> None:
    document = {"size_bytes": 0, "sha256": "", **msgspec.to_builtins(ways)}
    with pytest.raises(msgspec.ValidationError, match="exactly one"):
        msgspec.convert(document, Payload)
