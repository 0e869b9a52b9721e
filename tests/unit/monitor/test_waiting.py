from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from harness import MAIL, ORDERS, Pipeline, call
from reprise.monitor.counters import oldest_ages_s
from reprise.testing import START_AT


def bodies(pipeline: Pipeline, *functions: str) -> list[str]:
    pipeline.lines.clear()
    messages = pipeline.captured_messages(*(call(function=each) for each in functions))
    return [message.body for message in messages]


def test_the_oldest_of_each_target_counts() -> None:
    pipeline = Pipeline()
    old = bodies(pipeline, ORDERS, MAIL)
    pipeline.clock.advance(30)
    young = bodies(pipeline, ORDERS)
    now = START_AT + timedelta(seconds=100)
    assert oldest_ages_s([*young, *old], now) == {ORDERS: 100.0, MAIL: 100.0}
    assert oldest_ages_s(young, now) == {ORDERS: 70.0}


def test_what_names_no_call_is_passed_over() -> None:
    assert oldest_ages_s(["", "{", '"captured_at":"yesterday" "function":"f"'], START_AT) == {}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=100))
def test_a_key_of_the_callers_choosing_is_not_taken_for_the_field(key: str) -> None:
    forged = f'"captured_at":"1999-01-01T00:00:00Z","function":"x{key}'
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call(key=forged[:200]))
    found = oldest_ages_s([message.body for message in messages], START_AT)
    assert found == {ORDERS: 0.0}
