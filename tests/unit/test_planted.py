from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted import holds

SECRET = "PLANTED/secret+1"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_secret_is_found_wherever_it_begins_in_base64(before: bytes, after: bytes) -> None:
    data = before + SECRET.encode() + after
    assert holds(base64.b64encode(data).decode(), [SECRET])
    assert holds(base64.urlsafe_b64encode(data).decode(), [SECRET])


@pytest.mark.parametrize(
    "written",
    [f"x{SECRET}x", json.dumps({"x": SECRET}), "PLANTED%2Fsecret%2B1", SECRET.encode().hex()],
)
def test_a_secret_is_found_in_text_json_urls_and_hex(written: str) -> None:
    assert holds(written, [SECRET])


def test_what_is_not_there_is_not_found() -> None:
    assert not holds("PLANTED", [SECRET])
