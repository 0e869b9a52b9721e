from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.payload import pack
from reprise.capturing.line import MAX_LINE_BYTES
from reprise_cli.chaos.call import Call, plan_calls


@given(st.data())
def test_a_plan_has_the_calls_asked_for(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 500))
    poison, large = data.draw(st.integers(0, count)), data.draw(st.integers(0, count))
    calls = plan_calls(count, poison=poison, large=large)
    assert [call.number for call in calls] == list(range(1, count + 1))
    assert sum(call.is_poison for call in calls) == poison
    assert sum(call.is_large for call in calls) == large


def test_special_calls_are_spread() -> None:
    calls = plan_calls(100, poison=4, large=0)
    assert [call.number for call in calls if call.is_poison] == [25, 50, 75, 100]


@pytest.mark.parametrize(("poison", "large"), [(11, 0), (0, 11), (-1, 0)])
def test_more_special_calls_than_calls_are_refused(poison: int, large: int) -> None:
    with pytest.raises(ValueError, match="of 10 calls"):
        plan_calls(10, poison=poison, large=large)


def test_a_payload_says_what_the_target_is_to_do() -> None:
    payload = Call(number=7, is_poison=True).payload("run-1", 5)
    assert payload == {"run": "run-1", "call": 7, "behaviour": "poison", "work_ms": 5}


def test_a_large_payload_fits_no_capture_line_and_is_the_same_each_time() -> None:
    call = Call(number=7, is_large=True)
    data = json.dumps(call.payload("run-1", 0)).encode()
    assert data == json.dumps(call.payload("run-1", 0)).encode()
    assert pack(data, MAX_LINE_BYTES) is None
