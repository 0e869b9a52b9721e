from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.search import read_pattern
from local_engine.metric_math.values import MetricKey

ORDERS = MetricKey(
    namespace="Reprise",
    name="DeadLettered",
    dimensions=(("stack", "prod"), ("target", "orders-eu")),
)


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [
        ("{Reprise,stack,target}", True),
        ("{Reprise,target,stack}", True),
        ("{Reprise,stack}", False),
        ("{Other,stack,target}", False),
        ('{Reprise,stack,target} MetricName="DeadLettered"', True),
        ('{Reprise,stack,target} MetricName="Dead"', False),
        ("{Reprise,stack,target} MetricName=Dead", True),
        ("{Reprise,stack,target} dead", True),
        ("{Reprise,stack,target} dead lettered", True),
        ("{Reprise,stack,target} succeeded", False),
        ('{Reprise,stack,target} stack="prod" MetricName="DeadLettered"', True),
        ('{Reprise,stack,target} stack="test" OR target="orders-eu"', True),
        ('{Reprise,stack,target} stack="test" AND target="orders-eu"', False),
        ('{Reprise,stack,target} NOT stack="test"', True),
        ('{Reprise,stack,target} NOT (stack="prod" OR stack="test")', False),
        ('{Reprise,stack,target} target=("x" OR "orders-eu")', True),
        ('{"Reprise","stack","target"} eu', True),
    ],
)
def test_a_search_finds_what_cloudwatch_would(pattern: str, *, is_found: bool) -> None:
    assert read_pattern(pattern).finds(ORDERS) is is_found


@pytest.mark.parametrize(
    "pattern", ["", "x", "{}", "{A} (x", "{A} OR", "{A} x=", "{A} x=(y", "{A} )", "{A} NOT"]
)
def test_a_search_that_makes_no_sense_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        read_pattern(pattern)


@given(text=st.text(max_size=40) | st.text('{},"()= ANDORT', max_size=40))
def test_any_text_is_a_search_or_refused(text: str) -> None:
    with suppress(ExpressionError):
        read_pattern("{Reprise,stack,target} " + text).finds(ORDERS)
