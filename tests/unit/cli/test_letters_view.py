"""Letters as people see them, on terminals of several widths."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.instant import utc_now
from reprise_cli.dlq.view import pretty, show_letters, veil
from reprise_cli.output import Output
from reprise_letters.letter import Letter, LetterKind

if TYPE_CHECKING:
    from collections.abc import Sequence

UUID = "0193a1b2-0000-7000-8000-000000000000"
KEYED = f"orders:order-{'7' * 24}~{'0123456789abcdef' * 2}"
LETTER = Letter(
    message_id="m-1",
    body="{}",
    kind=LetterKind.DEAD_LETTER,
    id=UUID,
    at=utc_now() - timedelta(hours=3),
    target="orders",
    reason="exhausted",
    message="3 attempts failed; last: ValueError:\nthe order has no lines, and a customer that nobody knows",
    attempts=3,
)


def shown(letters: Sequence[Letter], columns: int) -> list[str]:
    stdout = io.StringIO()
    out = Output(is_json=False, stdout=stdout, stderr=io.StringIO())
    out.people.width = columns
    show_letters(out, letters, "letters")
    return [line.rstrip() for line in stdout.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (60, ["id", "reason", "given", "up"]),
        (80, ["id", "target", "reason", "given", "up", "message"]),
        (200, ["id", "target", "reason", "attempts", "given", "up", "message"]),
    ],
)
def test_columns_go_by_importance_and_the_message_is_shortened(
    columns: int, names: list[str]
) -> None:
    told = shown([LETTER], columns)
    assert told[1].split() == names
    (row,) = [line for line in told if line.startswith(UUID)]
    assert len(row) <= columns
    assert row.endswith("…") == (columns == 80)
    assert ("nobody knows" in row) == (columns == 200)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_an_id_is_never_cut(columns: int) -> None:
    told = shown([LETTER, replace(LETTER, id=KEYED)], columns)
    whole = "".join(line.split("  ")[0] for line in told[3:])
    assert UUID in whole
    assert KEYED in whole


def test_a_long_id_leaves_room_for_reason_age_and_message() -> None:
    told = shown([replace(LETTER, id=f"orders:{UUID}~{'0123456789abcdef' * 2}")], 80)
    assert told[1].split() == ["id", "reason", "given", "up", "message"]
    assert "exhausted" in told[3]


def test_what_sqs_gave_up_leaves_room_for_the_rest() -> None:
    letter = replace(LETTER, kind=LetterKind.REPLAY_MESSAGE, reason="undeliverable")
    told = shown([letter], 80)
    assert told[1].split() == ["id", "target", "reason", "given", "up", "message"]
    assert ("undeliverable" in told[3], "(replay_message)" in told[4]) == (True, True)


def test_what_is_copied_of_a_letter_is_json() -> None:
    body = json.dumps({"requestPayload": "x y " * 100, "text": "\x1b[2J\u202e"})
    stdout = io.StringIO()
    out = Output(is_json=False, stdout=stdout, stderr=io.StringIO())
    out.people.width = 60
    out.show(pretty(body))
    assert json.loads(stdout.getvalue()) == json.loads(body)


JSON = st.recursive(
    st.none() | st.integers() | st.just("open"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("id", "record", "payload", "mac")), inner, max_size=4)
    ),
    max_leaves=9,
)


@given(body=JSON, secret=st.sampled_from(("payload", "requestPayload", "responsePayload", "mac")))
def test_nothing_of_a_payload_or_a_signature_is_left_at_any_depth(
    body: object, secret: str
) -> None:
    letter = {"reprise": {"record": [body, {secret: {"order": "hidden-7"}}]}}
    assert "hidden-7" not in veil(json.dumps(letter))


@given(text=st.text())
def test_what_is_no_json_is_shown_only_if_it_is_asked_for(text: str) -> None:
    assert (
        veil(f"hidden-7 {text}")
        == f"{len(text) + 9} characters that are no JSON: --payload shows them"
    )
