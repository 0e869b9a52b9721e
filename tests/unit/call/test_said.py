"""What a caller says beside its payload is read, or is an error that names the field."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.reply_to import ReplyTo
from reprise.call.said import HEADERS, Said, read_said
from reprise.errors import BadRequestError
from strategies import json_values, keys, texts


def _context(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def _said(**custom: object) -> str:
    return _context({"custom": {"reprise": custom}})


def test_a_header_comes_before_the_client_context() -> None:
    context = _said(idempotency_key="order-1", scope="shop")
    assert read_said({"idempotency_key": "order-2"}, context) == Said(
        idempotency_key="order-2", scope="shop"
    )


@given(key=keys, scope=st.none() | keys)
def test_what_is_said_in_the_client_context_is_what_is_read(key: str, scope: str | None) -> None:
    context = _said(idempotency_key=key, scope=scope, reply_to={"event": "mine"})
    assert read_said({}, context) == Said(
        idempotency_key=key, scope=scope, reply_to=ReplyTo(event="mine")
    )


def test_a_place_that_is_none_is_refused_by_its_field() -> None:
    with pytest.raises(BadRequestError) as refused:
        read_said({}, _said(reply_to={"sqs": "somewhere"}))
    assert refused.value.field == "ClientContext.custom.reprise.reply_to"


@pytest.mark.parametrize("context", [None, "", "!", "e30=", _context([]), _context({"custom": 1})])
def test_whoever_says_nothing_of_ours_is_taken_for_that(context: str | None) -> None:
    assert read_said({}, context) == Said()


@given(
    headers=st.dictionaries(st.sampled_from(sorted(HEADERS)), texts),
    context=st.none()
    | st.text()
    | json_values.map(_context)
    | json_values.map(lambda value: _context({"custom": {"reprise": value}})),
)
def test_any_words_are_read_or_refused_by_their_field(
    headers: dict[str, str], context: str | None
) -> None:
    found: Said | str
    try:
        found = read_said(headers, context)
    except BadRequestError as error:
        found = error.field
    fields = ("X-Reprise-", "ClientContext.custom.reprise")
    assert isinstance(found, Said) or found.startswith(fields)
