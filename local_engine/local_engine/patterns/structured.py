"""Patterns over JSON messages: ``{ $.event = "x" && $.size > 5 }``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from local_engine.patterns.values import ORDERINGS, read_value

if TYPE_CHECKING:
    from collections.abc import Callable

    type Condition = Callable[[Any], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<symbol>\(|\)|&&|\|\||!=|<=|>=|=|<|>)
      | (?P<selector>\$(?:\.\[[^\]]*\]|\[[^\]]*\]|\.[\w\-@:/]+)*)
      | (?P<value>"(?:[^"\\]|\\.)*"|%[^%]*%)
      | (?P<word>[^\s()&|=!<>]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.?\['([^']*)'\]|\.?\[\"([^\"]*)\"\]|\[(\d+|\*)\]|\.([\w\-@:/]+)")


def compile_json(text: str) -> Callable[[str], bool]:
    """Return the predicate of a JSON pattern; a message that is not JSON never matches.

    Raises:
        ValueError: If the pattern does not follow the grammar.
    """
    if not text.endswith("}"):
        message = f"a JSON pattern ends with '}}': {text}"
        raise ValueError(message)
    condition = _Parser(text[1:-1]).parse()

    def matches(message: str) -> bool:
        if "{" not in message:
            return False
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return condition(document)

    return matches


class _Parser:
    """A parser by descent: ``||`` binds weakest, then ``&&``, then parentheses."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._error(text[position:])
            kind = found.lastgroup or ""
            self._tokens.append((kind, found.group(kind)))
            position = found.end()

    def parse(self) -> Condition:
        condition = self._any()
        if self._tokens:
            raise self._error(self._tokens[0][1])
        return condition

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._skip("||"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda doc: any(part(doc) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._skip("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda doc: all(part(doc) for part in parts)

    def _one(self) -> Condition:
        if self._skip("("):
            condition = self._any()
            if not self._skip(")"):
                raise self._error("end")
            return condition
        select = compile_selector(self._take("selector"))
        kind, token = self._tokens.pop(0) if self._tokens else ("", "the end")
        word = token.upper()
        if kind == "word" and word == "IS":
            constants = {"NULL": None, "TRUE": True, "FALSE": False}
            name = self._take("word").upper()
            if name not in constants:
                raise self._error(name)
            return lambda doc: any(value is constants[name] for value in select(doc))
        if kind == "word" and word == "NOT" and self._take("word").upper() == "EXISTS":
            return lambda doc: not select(doc)
        if kind != "symbol" or token in {"(", ")", "&&", "||"}:
            raise self._error(token)
        return self._comparison(select, token)

    def _comparison(self, select: Callable[[Any], list[Any]], symbol: str) -> Condition:
        kind, token = self._tokens.pop(0) if self._tokens else ("", "the end")
        if kind not in {"value", "word"}:
            raise self._error(token)
        wanted = read_value(token)
        if symbol in ORDERINGS:
            limit, holds = wanted.number, ORDERINGS[symbol]
            if limit is None:
                raise self._error(token)
            return lambda doc: any(_is_number(v) and holds(v, limit) for v in select(doc))
        if symbol == "=":
            return lambda doc: any(wanted.equals(value) for value in select(doc))
        return lambda doc: any(_is_scalar(v) and not wanted.equals(v) for v in select(doc))

    def _skip(self, symbol: str) -> bool:
        if self._tokens and self._tokens[0] == ("symbol", symbol):
            del self._tokens[0]
            return True
        return False

    def _take(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            raise self._error(self._tokens[0][1] if self._tokens else "the end")
        return self._tokens.pop(0)[1]

    def _error(self, place: str) -> ValueError:
        return ValueError(f"invalid filter pattern {{{self._text}}} at {place.strip()!r}")


def compile_selector(selector: str) -> Callable[[Any], list[Any]]:
    """Return a function from a document to the values the selector names, perhaps none."""
    steps = [(a or b or d, c) for a, b, c, d in _STEP.findall(selector[1:])]

    def select(document: Any) -> list[Any]:  # noqa: ANN401 - JSON
        values = [document]
        for name, index in steps:
            if index == "*":
                values = [item for value in values if isinstance(value, list) for item in value]
            elif index:
                place = int(index)
                values = [v[place] for v in values if isinstance(v, list) and place < len(v)]
            else:
                values = [v[name] for v in values if isinstance(v, dict) and name in v]
        return values

    return select


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_scalar(value: object) -> bool:
    return not isinstance(value, (dict, list)) and value is not None
