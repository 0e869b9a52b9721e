from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest

from reprise.capturing.line import context_for_replay, is_marked
from reprise.capturing.record import Source
from strategies import make_record

DECORATED = make_record(source=Source(name="decorator", version="1"), client_context="e30=")


def _context(custom: object) -> SimpleNamespace:
    return SimpleNamespace(client_context=SimpleNamespace(custom=custom))


@pytest.mark.parametrize("context", [None, "e30="])
def test_a_replay_carries_its_callers_context_unaltered(context: str | None) -> None:
    assert context_for_replay(make_record(client_context=context)) == context


def test_a_replay_of_what_a_target_captured_itself_is_marked() -> None:
    context = context_for_replay(DECORATED)
    assert context is not None
    # What Lambda's Python runtime makes of it.
    custom = json.loads(base64.b64decode(context))["custom"]
    assert custom == {"reprise_call_id": "orders:order-1"}
    assert is_marked(_context(custom))


@pytest.mark.parametrize(
    "context",
    [
        None,
        object(),
        SimpleNamespace(client_context=None),
        _context(None),
        _context("reprise_call_id"),
        _context({}),
        _context({"other": 1}),
    ],
)
def test_every_other_invocation_is_not_marked(context: object) -> None:
    assert not is_marked(context)


def test_the_longest_id_gives_a_context_that_lambda_takes() -> None:
    record = make_record(
        source=Source(name="decorator", version="1"), id=f"{'f' * 140}:{'k' * 256}"
    )
    context = context_for_replay(record)
    assert context is not None
    assert len(context) <= 3583
