"""Parse metric math into a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from local_engine.metric_math.errors import ExpressionError


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, or a bare word where a function takes one."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another row, or a word such as REPEAT."""

    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """Several values: `[m1, m2]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and the operator between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Negation:
    """A minus sign before an operand."""

    operand: Node


type Node = Number | Text | Name | Group | Call | Operation | Negation

_END: Final = ""
MAX_CHARS: Final = 4096
"""CloudWatch's own limit is 1,024 (2,048 in some places); nothing near ours is meant."""
_MAX_DEPTH: Final = 60
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<operator>&&|\|\||[<>=!]=|[-+*/^<>()\[\],])
    )""",
    re.VERBOSE | re.ASCII,
)
_LEVELS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"||", "OR"}),
    frozenset({"&&", "AND"}),
    frozenset({"==", "!=", "<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/"}),
    frozenset({"^"}),
)
"""Binary operators, the weakest first; all group from the left."""


def parse(text: str) -> Node:
    """Return the tree of an expression.

    Raises:
        ExpressionError: If it is none; the message says where.
    """
    if len(text) > MAX_CHARS:
        msg = f"the expression is longer than {MAX_CHARS} characters"
        raise ExpressionError(msg)
    parser = _Parser(_tokens(text))
    node = parser.level(0)
    parser.expect(_END)
    return node


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            msg = f"unexpected {rest[:1]!r} at character {len(text) - len(rest) + 1}"
            raise ExpressionError(msg)
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return [*tokens, ("end", _END)]


class _Parser:
    """Recursive descent, one method a rule."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def level(self, strength: int) -> Node:
        """Read operands joined by operators of this strength or stronger."""
        if strength == len(_LEVELS):
            return self._operand()
        left = self.level(strength + 1)
        while self._peek().upper() in _LEVELS[strength] and self._kind() != "text":
            operator = self._take().upper()
            left = Operation(operator, left, self.level(strength + 1))
        return left

    def expect(self, wanted: str) -> None:
        """Take this token.

        Raises:
            ExpressionError: If another one stands there.
        """
        if self._peek() != wanted or self._kind() == "text":
            msg = f"expected {wanted or 'the end'!r}, found {self._peek() or 'the end'!r}"
            raise ExpressionError(msg)
        self._at += 1

    def _operand(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            msg = f"nested deeper than {_MAX_DEPTH}"
            raise ExpressionError(msg)
        node = self._simple()
        self._depth -= 1
        return node

    def _simple(self) -> Node:
        kind, token = self._kind(), self._take()
        node: Node
        match kind, token:
            case "number", _:
                node = Number(float(token))
            case "text", _:
                node = Text(token[1:-1])
            case "name", _ if self._peek() == "(" and self._kind() == "operator":
                self._at += 1
                node = Call(token.upper(), self._list(")"))
            case "name", _:
                node = Name(token)
            case "operator", "-":
                node = Negation(self._operand())
            case "operator", "(":
                node = self.level(0)
                self.expect(")")
            case "operator", "[":
                node = Group(self._list("]"))
            case _:
                msg = f"expected a value, found {token or 'the end'!r}"
                raise ExpressionError(msg)
        return node

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while self._peek() != end or self._kind() == "text":
            if items:
                self.expect(",")
            items.append(self.level(0))
        self._at += 1
        return tuple(items)

    def _kind(self) -> str:
        return self._tokens[self._at][0]

    def _peek(self) -> str:
        return self._tokens[self._at][1]

    def _take(self) -> str:
        token = self._tokens[self._at][1]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token
