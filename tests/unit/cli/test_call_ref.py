from __future__ import annotations

import pytest

from reprise_cli.calls.lookup import CallRef, read_call_ref


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01a1-7", CallRef(call_id="01a1-7")),
        ("orders:key", CallRef(call_id="orders:key")),
        ("orders:a/calls/b", CallRef(call_id="orders:a/calls/b")),
        ("reprise://prod/calls/01a1", CallRef(call_id="01a1", stack_name="prod")),
        (
            "reprise://prod/calls/f:a/calls/b",
            CallRef(call_id="f:a/calls/b", stack_name="prod"),
        ),
        ("https://status.example/calls/01a1", CallRef(call_id="01a1")),
        ("f:s3://bucket/key", CallRef(call_id="f:s3://bucket/key")),
    ],
)
def test_a_call_is_named_by_its_id_or_its_url(text: str, expected: CallRef) -> None:
    assert read_call_ref(text) == expected
