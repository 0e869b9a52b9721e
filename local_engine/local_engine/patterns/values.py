"""Values of a comparison: text with wildcards, numbers, regular expressions."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")

ORDERINGS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The right side of a comparison."""

    text: str
    number: float | None
    expression: re.Pattern[str] | None

    def equals(self, value: object) -> bool:
        """Tell whether a string or number of a message is the wanted one."""
        if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
            return False
        if isinstance(value, (int, float)):
            return self.number is not None and float(value) == self.number
        assert isinstance(value, str)  # noqa: S101 - JSON has no further scalar
        if self.expression is not None:
            return self.expression.search(value) is not None
        return value == self.text


def read_value(token: str) -> Wanted:
    """Return what a value of a pattern stands for.

    Raises:
        ValueError: If a regular expression is not valid.
    """
    if token.startswith("%") and token.endswith("%") and len(token) > 1:
        try:
            return Wanted(token, None, re.compile(token[1:-1]))
        except re.error as error:
            message = f"invalid regular expression {token}: {error}"
            raise ValueError(message) from error
    quoted = token.startswith('"')
    text = token[1:-1].replace('\\"', '"') if quoted else token
    number = float(token) if not quoted and _NUMBER.fullmatch(token) else None
    expression = None
    if "*" in text:
        expression = re.compile("^" + ".*".join(map(re.escape, text.split("*"))) + "$", re.DOTALL)
    return Wanted(text, number, expression)
