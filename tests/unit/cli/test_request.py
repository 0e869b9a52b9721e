from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.instant import format_instant
from reprise_cli.commands.invoke import payload_fields
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.point_in_time import read_point
from strategies import NOW


@given(st.binary())
def test_a_payload_keeps_its_bytes(payload: bytes) -> None:
    fields = payload_fields(payload)
    restored = (
        fields["Payload"].encode()
        if "Payload" in fields
        else base64.b64decode(fields.get("PayloadBase64", ""))
    )
    assert restored == payload


def test_no_payload_sends_no_field() -> None:
    assert payload_fields(b"") == {}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("10m", "2026-11-21T10:10:00.000000Z"),
        ("2026-11-21T12:00:00+01:00", "2026-11-21T11:00:00.000000Z"),
        ("2026-11-21T12:00z", "2026-11-21T12:00:00.000000Z"),
        ("2026-11-21T12:00", "2026-11-21T12:00:00.000000Z"),
        ("2026-11-21 12:00:01", "2026-11-21T12:00:01.000000Z"),
        ("2026-11-22", "2026-11-22T00:00:00.000000Z"),
    ],
)
def test_not_after_is_an_instant_or_a_duration_from_now(text: str, instant: str) -> None:
    assert format_instant(read_point("--not-after", text, NOW, is_ahead=True)) == instant


@pytest.mark.parametrize("text", ["tomorrow", "2026-11-21T25:00:00", "99999999d"])
def test_not_after_that_is_neither_is_a_usage_error(text: str) -> None:
    with pytest.raises(CommandError, match="--not-after") as caught:
        read_point("--not-after", text, NOW, is_ahead=True)
    assert caught.value.code is ExitCode.USAGE
