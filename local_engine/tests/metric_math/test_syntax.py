from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.evaluate import Sheet
from local_engine.metric_math.syntax import MAX_CHARS, parse
from local_engine.metric_math.values import Grid

GRID = Grid(start_s=0, end_s=300, period_s=60)


def number(expression: str) -> object:
    sheet = Sheet(grid=GRID, metrics={}, expressions={"e": expression}, find=lambda _: ())
    return sheet.value("e")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("8 / 4 / 2", 1),
        ("7 - 2 - 1", 4),
        ("2 * 3 ^ 2", 18),
        ("-2 + 5", 3),
        ("--2", 2),
        ("1 < 2 AND 3 >= 4", 0),
        ("1 == 2 || 2 != 3", 1),
        ("IF(2 > 1, 10, 20)", 10),
        ("if(0, 10, 20)", 20),
        (".5e1", 5),
        ("ABS(-3) + CEIL(1.2) + FLOOR(1.8)", 6),
    ],
)
def test_an_expression_of_numbers_has_the_value_that_people_expect(
    expression: str, value: float
) -> None:
    assert number(expression) == value


@given(
    numbers=st.lists(st.integers(1, 99), min_size=1, max_size=8),
    operators=st.lists(st.sampled_from("+-*"), min_size=7, max_size=7),
)
def test_plain_arithmetic_is_that_of_python(numbers: list[int], operators: list[str]) -> None:
    pairs = zip(operators, numbers[1:], strict=False)
    text = str(numbers[0]) + "".join(f" {symbol} {operand}" for symbol, operand in pairs)
    result = number(text)
    assert isinstance(result, float)
    assert math.isclose(result, eval(text))  # noqa: S307 - digits and signs made above


@given(text=st.text(max_size=60) | st.text("ab1.+-*/(),[]'\"<>=&| FILSUM", max_size=40))
def test_any_text_is_parsed_or_refused_with_a_reason(text: str) -> None:
    with suppress(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a value"),
        ("1 +", "expected a value"),
        ("(1", r"expected '\)'"),
        ("1 2", "expected 'the end'"),
        ("1 end", "expected 'the end', found 'end'"),
        ("1 # 2", "unexpected '#' at character 3"),
        ("SUM(1", "expected ','"),
        ("(" * 100 + "1", "nested deeper"),
        ("1" * (MAX_CHARS + 1), "longer than"),
    ],
)
def test_what_is_no_expression_is_refused_by_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        parse(text)
