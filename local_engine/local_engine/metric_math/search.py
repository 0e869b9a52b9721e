"""The pattern of SEARCH: which metrics it means.

    '{Reprise,target} MetricName="Succeeded" AND NOT target="orders"'

A quoted word must be the whole value; a bare one must be among the value's words. Without a property
before it, a word may stand in the name, the namespace or any dimension value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local_engine.metric_math.errors import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.metric_math.values import MetricKey

    type Test = Callable[[MetricKey], bool]

_SCHEMA: Final = re.compile(r'\s*\{\s*((?:"[^"]*"|[^{},"]+)(?:,(?:"[^"]*"|[^{},"]+))*)\s*\}')
_PART: Final = re.compile(r'"[^"]*"|[^,"]+')
_TOKEN: Final = re.compile(r'\s*("[^"]*"|[()=]|[^\s()="]+)')
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MAX_DEPTH: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A search that has been read."""

    namespace: str
    """Empty if the pattern names none."""
    dimensions: frozenset[str]
    """Exactly these dimensions a metric must have."""
    is_match: Test
    """Whether the pattern's words fit a metric."""

    def finds(self, metric: MetricKey) -> bool:
        """Tell whether the search means this metric."""
        return (
            metric.namespace == self.namespace
            and frozenset(name for name, _ in metric.dimensions) == self.dimensions
            and self.is_match(metric)
        )


def read_pattern(text: str) -> Pattern:
    """Return the search that a text describes.

    Raises:
        ExpressionError: If it has no schema such as `{Reprise,target}`, or its words make no sense.
    """
    match = _SCHEMA.match(text)
    if match is None:
        msg = "SEARCH needs a schema first, such as {Reprise,target}"
        raise ExpressionError(msg)
    namespace, *dimensions = (_bare(part.strip()) for part in _PART.findall(match[1]))
    reader = _Reader(_TOKEN.findall(text, match.end()))
    return Pattern(
        namespace=namespace, dimensions=frozenset(dimensions), is_match=reader.read_all()
    )


class _Reader:
    """Recursive descent over the words."""

    def __init__(self, tokens: list[str]) -> None:
        self._left = tokens[::-1]
        self._depth = 0

    def read_all(self) -> Test:
        """Read to the end."""
        if not self._left:
            return lambda _: True
        test = self._any()
        if self._left:
            msg = f"SEARCH: unexpected {self._left[-1]!r}"
            raise ExpressionError(msg)
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._peek() == "OR":
            self._left.pop()
            tests.append(self._all())
        return lambda metric: any(test(metric) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._left and self._peek() not in {"OR", ")"}:
            if self._peek() == "AND":
                self._left.pop()
            tests.append(self._one())
        return lambda metric: all(test(metric) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        token = self._left.pop() if self._left else ""
        if self._depth > _MAX_DEPTH or token in {"", ")", "=", "AND", "OR"}:
            msg = f"SEARCH: a word is missing before {token or 'the end'!r}"
            raise ExpressionError(msg)
        test = self._test(token)
        self._depth -= 1
        return test

    def _test(self, token: str) -> Test:
        if token == "NOT":  # noqa: S105 - a word of the pattern
            inner = self._one()
            return lambda metric: not inner(metric)
        if token == "(":  # noqa: S105 - as above
            inner = self._any()
            if not self._left or self._left.pop() != ")":
                msg = "SEARCH: a closing bracket is missing"
                raise ExpressionError(msg)
            return inner
        if self._peek() != "=":
            return lambda metric: any(_fits(token, value) for _, value in _values(metric))
        self._left.pop()
        return self._of_property(_bare(token))

    def _of_property(self, name: str) -> Test:
        if self._peek() != "(":
            word = self._left.pop() if self._left else ""
            if word in {"", ")", "="}:
                msg = f"SEARCH: {name}= has no value"
                raise ExpressionError(msg)
            words = [word]
        else:
            self._left.pop()
            words = []
            while self._left and self._peek() != ")":
                words.append(self._left.pop())
            if not self._left or self._left.pop() != ")":
                msg = "SEARCH: a closing bracket is missing"
                raise ExpressionError(msg)
        wanted = [word for word in words if word != "OR"]
        return lambda metric: any(
            _fits(word, value) for key, value in _values(metric) if key == name for word in wanted
        )

    def _peek(self) -> str:
        return self._left[-1] if self._left else ""


def _values(metric: MetricKey) -> list[tuple[str, str]]:
    named = [("MetricName", metric.name), ("Namespace", metric.namespace)]
    return [*named, *metric.dimensions]


def _fits(word: str, value: str) -> bool:
    if word.startswith('"'):
        return _bare(word) == value
    wanted, found = _words(word), _words(value)
    return bool(wanted) and any(
        found[i : i + len(wanted)] == wanted for i in range(len(found) - len(wanted) + 1)
    )


def _words(text: str) -> list[str]:
    """Return the words of a name: apart at capitals, digits and signs, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith('"') else text
