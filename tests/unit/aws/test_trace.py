from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.aws.functions import header_for_replay

CALLER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_replay_carries_its_callers_trace() -> None:
    assert header_for_replay(CALLER, None) == CALLER


def test_lineage_is_that_of_who_replays() -> None:
    recorded = f"{CALLER};Lineage=1:aaaa:9"
    own = "Root=1-aaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbb;Sampled=0;Lineage=1:bbbb:2"
    assert header_for_replay(recorded, own) == f"{CALLER};Lineage=1:bbbb:2"


@pytest.mark.parametrize("recorded", [None, "", "Sampled=1", "nonsense", "Root=\r\nX: y"])
def test_without_a_callers_trace_the_sdk_decides(recorded: str | None) -> None:
    assert header_for_replay(recorded, "Root=1-a-b;Lineage=1:bbbb:2") is None


@given(st.text())
def test_no_recorded_text_breaks_out_of_the_header(recorded: str) -> None:
    header = header_for_replay(recorded, None)
    assert header is None or (header.isascii() and header.isprintable())
