from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.instant import format_instant, parse_instant

aware = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - made aware by the strategy
    datetime(9999, 12, 29),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=14))]),
)


@given(instant=aware)
def test_an_instant_survives_being_written_and_read(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(first=aware, second=aware)
def test_texts_sort_as_their_instants_do(first: datetime, second: datetime) -> None:
    assert (format_instant(first) < format_instant(second)) == (first < second)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000000Z"),
        ("2026-11-21T10:00:00z", "2026-11-21T10:00:00.000000Z"),
        ("2026-11-21T12:30:00+02:30", "2026-11-21T10:00:00.000000Z"),
        ("2026-11-21T10:00:00.1234567Z", "2026-11-21T10:00:00.123456Z"),
    ],
)
def test_every_offset_is_written_as_utc(text: str, expected: str) -> None:
    assert format_instant(parse_instant(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-11-21T10:00:00", "2026-11-21", "0001-01-01T00:00:00+23:59", "\ud800"],
)
def test_text_that_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


@given(text=st.text())
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    try:
        instant = parse_instant(text)
    except ValueError:
        return
    assert instant.tzinfo is UTC


SPELLINGS = ["2026-11-21T10:29:00.641360Z", "2026-11-21 23:59:59z", "2026-02-28t10:00:00.1-00:30"]


@given(
    text=st.sampled_from(SPELLINGS),
    edits=st.lists(
        st.tuples(st.integers(0, 27), st.integers(0, 2), st.sampled_from([*"0129TtZz+-:., ", ""])),
        max_size=3,
    ),
)
def test_what_msgspec_takes_for_an_instant_of_utc_is_one_here(
    text: str, edits: list[tuple[int, int, str]]
) -> None:
    for at, length, piece in edits:
        text = text[:at] + piece + text[at + length :]
    try:
        instant = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return
    if instant.tzinfo is UTC:
        # Beyond microseconds msgspec rounds, Python cuts.
        assert abs(instant - parse_instant(text)) <= timedelta(microseconds=1)
