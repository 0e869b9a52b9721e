from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.printable import printable, printable_json
from strategies import json_values

# Any code point, lone surrogates too: JSON may spell them.
anything = st.text(st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;AAAA\x07", "\\x1b]52;c;AAAA\\x07"),
        ("\u009b31m", "\\u009b31m"),
        ("a\x7fb\x00", "a\\x7fb\\x00"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("zero\u200bwidth \ufeff\u2028", "zero\\u200bwidth \\ufeff\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("two\n\tlines", "two\n\tlines"),
        ("größer [bold]\\x1b 日本 👍", "größer [bold]\\x1b 日本 👍"),
    ],
    ids=["osc", "c1", "c0", "cr", "bidi", "invisible", "tag", "surrogate", "lines", "plain"],
)
def test_what_a_terminal_obeys_or_hides_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(anything)
def test_any_text_becomes_printable_and_printable_text_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


# Two surrogates in a row may be a pair, which JSON reads as one character.
@given(
    value=json_values | st.characters(),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 1, "\t"]),
)
def test_json_keeps_its_value_on_one_printable_line(
    *, value: object, is_ascii: bool, indent: int | str | None
) -> None:
    text = printable_json(json.dumps(value, ensure_ascii=is_ascii, indent=indent))
    assert text.isprintable()
    assert json.loads(text) == value
