"""Parse and evaluate DynamoDB's condition and update expressions on top-level attributes.

What it does not know it refuses loudly. Checked against moto's in
tests/functional/aws/test_simulated_table.py.

Source: DynamoDB developer guide, "Condition and filter expressions, operators, and functions" and
"Using update expressions in DynamoDB".
"""

# ruff: noqa: C419, EM102, TRY003 - DynamoDB evaluates every operand; each error says what was found

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

Attribute = Mapping[str, Any]
Item = Mapping[str, Attribute]
Find = Callable[[Item, "Bound"], Attribute | None]
Test = Callable[[Item, "Bound"], bool]

_TOKEN: Final = re.compile(r"\s*(?:([#:]?[A-Za-z_][A-Za-z0-9_]*)|(<>|<=|>=|[=<>(),+\-]))")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED: Final = frozenset({"S", "N", "B"})


class ExpressionError(ValueError):
    """DynamoDB answers ValidationException."""


@dataclass(slots=True)
class Bound:
    """The names and values that an expression is evaluated with, and which of them it used."""

    names: Mapping[str, str]
    values: Mapping[str, Attribute]

    def name(self, token: str) -> str:
        if not token.startswith("#"):
            return token
        try:
            return self.names[token]
        except KeyError:
            raise ExpressionError(f"name {token} is not defined") from None

    def value(self, token: str) -> Attribute:
        try:
            return self.values[token]
        except KeyError:
            raise ExpressionError(f"value {token} is not defined") from None


@dataclass(frozen=True, slots=True)
class Update:
    """What an update expression does: each a token of an attribute, with its new value or none."""

    sets: tuple[tuple[str, Find], ...] = ()
    removes: tuple[str, ...] = ()
    adds: tuple[tuple[str, str], ...] = ()

    def apply(self, item: Item, bound: Bound) -> dict[str, Attribute]:
        """Return the item after the update; every right-hand side sees it as it was."""
        after = dict(item)
        for token, find in self.sets:
            value = find(item, bound)
            if value is None:
                raise ExpressionError("an operand refers to an attribute that is not in the item")
            after[bound.name(token)] = value
        for token in self.removes:
            after.pop(bound.name(token), None)
        for token, amount in self.adds:
            name = bound.name(token)
            before = item.get(name, {"N": "0"})
            after[name] = _sum(before, bound.value(amount), operator.add) or before
        return after


class _Parser:
    """A recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self.at = 0
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f"cannot read {text[position:]!r}")
            self.tokens.append(match[1] or match[2])
            position = match.end()

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def keyword(self) -> str:
        return self.peek().upper()

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token.upper() != expected):
            raise ExpressionError(f"expected {expected or 'more'}, found {token!r}")
        self.at += 1
        return token

    def end(self) -> None:
        if self.peek():
            raise ExpressionError(f"unexpected {self.peek()!r}")

    def list_of[T](self, read: Callable[[], T]) -> list[T]:
        found = [read()]
        while self.peek() == ",":
            self.take()
            found.append(read())
        return found

    # --- conditions -------------------------------------------------------------------------------

    def any_of(self) -> Test:
        tests = [self.all_of()]
        while self.keyword() == "OR":
            self.take()
            tests.append(self.all_of())
        # Every operand is evaluated, as DynamoDB checks them all.
        return (
            tests[0]
            if len(tests) == 1
            else lambda item, bound: any([t(item, bound) for t in tests])
        )

    def all_of(self) -> Test:
        tests = [self.negation()]
        while self.keyword() == "AND":
            self.take()
            tests.append(self.negation())
        return (
            tests[0]
            if len(tests) == 1
            else lambda item, bound: all([t(item, bound) for t in tests])
        )

    def negation(self) -> Test:
        if self.keyword() != "NOT":
            return self.condition()
        self.take()
        test = self.negation()
        return lambda item, bound: not test(item, bound)

    def condition(self) -> Test:
        if self.peek() == "(":
            self.take()
            test = self.any_of()
            self.take(")")
            return test
        if self.keyword() in {"ATTRIBUTE_EXISTS", "ATTRIBUTE_NOT_EXISTS"}:
            return self.function()
        left = self.operand()
        word = self.keyword()
        if word == "IN":
            self.take()
            self.take("(")
            choices = self.list_of(self.operand)
            self.take(")")
            return lambda item, bound: any(
                [_compared("=", left(item, bound), choice(item, bound)) for choice in choices]
            )
        relation = self.take()
        if relation not in _COMPARE:
            raise ExpressionError(f"unknown comparator {relation!r}")
        right = self.operand()
        return lambda item, bound: _compared(relation, left(item, bound), right(item, bound))

    def function(self) -> Test:
        name = self.take().lower()
        self.take("(")
        path = self.take()
        self.take(")")
        is_wanted = name == "attribute_exists"
        return lambda item, bound: (bound.name(path) in item) == is_wanted

    def operand(self) -> Find:
        token = self.take()
        if not token[-1].isalnum() and token[-1] != "_":
            raise ExpressionError(f"unexpected {token!r}")
        if token.startswith(":"):
            return lambda _, bound: bound.value(token)
        return lambda item, bound: item.get(bound.name(token))

    # --- updates ----------------------------------------------------------------------------------

    def update(self) -> Update:
        clauses: dict[str, list[Any]] = {}
        readers: dict[str, Callable[[], Any]] = {
            "SET": self.assignment,
            "REMOVE": self.take,
            "ADD": lambda: (self.take(), self.take()),
        }
        while self.peek():
            word = self.take().upper()
            if word not in readers or word in clauses:
                raise ExpressionError(f"unexpected {word!r}")
            clauses[word] = self.list_of(readers[word])
        return Update(
            sets=tuple(clauses.get("SET", ())),
            removes=tuple(clauses.get("REMOVE", ())),
            adds=tuple(clauses.get("ADD", ())),
        )

    def assignment(self) -> tuple[str, Find]:
        path = self.take()
        self.take("=")
        left = self.term()
        sign = self.peek()
        if sign not in {"+", "-"}:
            return path, left
        self.take()
        right = self.term()
        combine = operator.add if sign == "+" else operator.sub
        return path, lambda item, bound: _sum(left(item, bound), right(item, bound), combine)

    def term(self) -> Find:
        if self.keyword() != "IF_NOT_EXISTS":
            return self.operand()
        self.take()
        self.take("(")
        path = self.take()
        self.take(",")
        default = self.operand()
        self.take(")")

        def found(item: Item, bound: Bound) -> Attribute | None:
            present = item.get(bound.name(path))
            return default(item, bound) if present is None else present

        return found


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> Test:
    """Return the test of a condition expression.

    Raises:
        ExpressionError: If DynamoDB would refuse it, or this parser does not know it.
    """
    parser = _Parser(text)
    test = parser.any_of()
    parser.end()
    return test


@lru_cache(maxsize=4096)
def parse_update(text: str) -> Update:
    """Return what an update expression does.

    Raises:
        ExpressionError: If DynamoDB would refuse it, or this parser does not know it.
    """
    return _Parser(text).update()


@lru_cache(maxsize=4096)
def tokens_of(text: str) -> frozenset[str]:
    """Return the placeholders that an expression uses."""
    return frozenset(token for token in _Parser(text).tokens if token[0] in "#:")


def _typed(attribute: Attribute) -> tuple[str, Any]:
    ((kind, value),) = attribute.items()
    return kind, Decimal(value) if kind == "N" else value


def _compared(relation: str, left: Attribute | None, right: Attribute | None) -> bool:
    """Compare as DynamoDB does: what is missing compares with nothing, other types are unequal."""
    if left is None or right is None:
        return relation == "<>" and left is not right
    (left_kind, left_value), (right_kind, right_value) = _typed(left), _typed(right)
    if relation in {"=", "<>"}:
        is_equal = left_kind == right_kind and left_value == right_value
        return is_equal == (relation == "=")
    if left_kind != right_kind or left_kind not in _ORDERED:
        return False
    return _COMPARE[relation](left_value, right_value)


def _sum(
    left: Attribute | None, right: Attribute | None, combine: Callable[[Any, Any], Any]
) -> Attribute | None:
    if left is None or right is None:
        return None
    if "N" not in left or "N" not in right:
        raise ExpressionError("an operand of + or - is no number")
    return {"N": format(combine(Decimal(left["N"]), Decimal(right["N"])), "f")}
