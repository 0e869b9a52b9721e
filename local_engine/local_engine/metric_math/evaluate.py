"""Evaluate the expressions of a request, each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from local_engine.metric_math.arithmetic import combine
from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.functions import FUNCTIONS, choose, fill
from local_engine.metric_math.search import Pattern, read_pattern
from local_engine.metric_math.syntax import (
    Call,
    Group,
    Name,
    Negation,
    Node,
    Number,
    Operation,
    Text,
    parse,
)
from local_engine.metric_math.values import Grid, Series, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a SEARCH asks for."""

    text: str
    """Pattern and statistic, as one key."""
    pattern: Pattern
    stat: str
    period_s: int | None
    """None if it states none."""


class Finder(Protocol):
    """Finds the series of a search."""

    def __call__(self, search: Search, /) -> tuple[Series, ...]:
        """Return them, sorted by label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The queries of one request, by id, and what they are evaluated with."""

    grid: Grid
    metrics: Mapping[str, Series]
    expressions: Mapping[str, str]
    find: Finder
    _done: dict[str, Value] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def value(self, row_id: str) -> Value:
        """Return what a query gives.

        Raises:
            ExpressionError: If its expression, or one that it refers to, has no value.
        """
        if row_id in self.metrics:
            return self.metrics[row_id]
        if row_id in self._done:
            return self._done[row_id]
        if row_id not in self.expressions:
            msg = f"there is no {row_id!r} in this request"
            raise ExpressionError(msg)
        if row_id in self._open:
            msg = f"{row_id!r} refers to itself"
            raise ExpressionError(msg)
        self._open.add(row_id)
        try:
            self._done[row_id] = self._of(parse(self.expressions[row_id]))
        finally:
            self._open.discard(row_id)
        return self._done[row_id]

    def _of(self, node: Node) -> Value:
        match node:
            case Number(value):
                return value
            case Name(row_id):
                return self.value(row_id)
            case Group(items):
                return self._group(items)
            case Negation(operand):
                return combine("-", 0.0, self._of(operand))
            case Operation(symbol, left, right):
                return combine(symbol, self._of(left), self._of(right))
            case Call():
                return self._call(node)
            case Text(text):
                msg = f"the text {text!r} is no value"
                raise ExpressionError(msg)

    def _group(self, items: tuple[Node, ...]) -> tuple[Series, ...]:
        found: list[Series] = []
        for item in items:
            match self._of(item):
                case tuple() as several:
                    found += several
                case Series() as one:
                    found.append(one)
                case number:
                    found.append(Series(points=dict.fromkeys(self.grid.instants, number)))
        return tuple(found)

    def _call(self, call: Call) -> Value:
        special = self._special(call)
        if special is not None:
            return special
        count, function = FUNCTIONS.get(call.function, (0, None))
        if function is None:
            msg = f"{call.function} is not known here"
            raise ExpressionError(msg)
        if len(call.arguments) != count:
            msg = f"{call.function} takes {count} argument"
            raise ExpressionError(msg)
        return function(self.grid, tuple(self._of(argument) for argument in call.arguments))

    def _special(self, call: Call) -> Value | None:
        """Return the value of a function whose arguments are not all values."""
        match call:
            case Call("SEARCH"):
                return self.find(search_of(call))
            case Call("METRICS", arguments):
                return self._metrics(arguments)
            case Call("FILL", (series, Name(word))) if word.upper() in {"REPEAT", "LINEAR"}:
                return fill(self._of(series), word.upper(), self.grid)
            case Call("FILL", (series, filler)):
                return fill(self._of(series), self._of(filler), self.grid)
            case Call("IF", (condition, yes, *no)) if len(no) <= 1:
                otherwise = self._of(no[0]) if no else Series(points={})
                return choose(self._of(condition), self._of(yes), otherwise)
            case _:
                return None

    def _metrics(self, arguments: tuple[Node, ...]) -> tuple[Series, ...]:
        """Return all metrics, or those whose id contains a text; never expressions."""
        match arguments:
            case ():
                part = ""
            case (Text(part),):
                pass
            case _:
                msg = "METRICS takes a quoted part of ids, or nothing"
                raise ExpressionError(msg)
        return tuple(series for row_id, series in self.metrics.items() if part in row_id)


def search_of(call: Call) -> Search:
    """Return what a SEARCH asks for.

    Raises:
        ExpressionError: If its arguments are not a pattern and a statistic.
    """
    match call.arguments:
        case (Text(pattern), Text(stat)):
            period_s = None
        case (Text(pattern), Text(stat), Number(seconds)) if seconds >= 1:
            period_s = int(seconds)
        case _:
            msg = "SEARCH takes 'a pattern', 'a statistic', and perhaps a period"
            raise ExpressionError(msg)
    return Search(
        text=f"{pattern}|{stat}", pattern=read_pattern(pattern), stat=stat, period_s=period_s
    )


def searches(expression: str) -> list[Search]:
    """Return every SEARCH in an expression.

    Raises:
        ExpressionError: If the expression cannot be read.
    """
    calls = (node for node in _walk(parse(expression)) if isinstance(node, Call))
    return [search_of(call) for call in calls if call.function == "SEARCH"]


def _walk(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case Group(items):
            parts = items
        case Call(_, arguments):
            parts = arguments
        case Operation(_, left, right):
            parts = (left, right)
        case Negation(operand):
            parts = (operand,)
        case _:
            parts = ()
    for part in parts:
        yield from _walk(part)
