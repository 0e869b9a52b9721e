"""Patterns of space-delimited fields: ``[ip, user, ..., status = 4*, bytes]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local_engine.patterns.values import ORDERINGS, read_value

if TYPE_CHECKING:
    from collections.abc import Callable

_FIELD = re.compile(r"\s*(\w+)\s*(?:(!=|<=|>=|=|<|>)\s*(\"[^\"]*\"|%[^%]*%|[^\s]+))?\s*")
_WORD = re.compile(r"\[([^\]]*)\]|\"([^\"]*)\"|(\S+)")
_REST = "..."


def compile_fields(text: str) -> Callable[[str], bool]:
    """Return the predicate of a field pattern; one ``...`` stands for any fields.

    Raises:
        ValueError: If the pattern does not follow the grammar.
    """
    if not text.endswith("]"):
        message = f"a field pattern ends with ']': {text}"
        raise ValueError(message)
    parts = [part.strip() for part in text[1:-1].split(",")]
    tests = [None if part == _REST else _compile_field(part) for part in parts]
    if tests.count(None) > 1:
        message = f"a field pattern has one '...': {text}"
        raise ValueError(message)

    def matches(message: str) -> bool:
        words = [a or b or c for a, b, c in _WORD.findall(message)]
        if None in tests:
            split = tests.index(None)
            before, after = tests[:split], tests[split + 1 :]
            if len(words) < len(before) + len(after):
                return False
            chosen = [*words[:split], *words[len(words) - len(after) :]]
            return all(
                test(word) for test, word in zip(before + after, chosen, strict=True) if test
            )
        return len(words) == len(tests) and all(
            test(word) for test, word in zip(tests, words, strict=True) if test
        )

    return matches


def _compile_field(part: str) -> Callable[[str], bool]:
    found = _FIELD.fullmatch(part)
    if found is None:
        message = f"invalid field {part!r}"
        raise ValueError(message)
    _, symbol, token = found.groups()
    if symbol is None:
        return lambda _word: True
    wanted = read_value(token)
    if symbol in ORDERINGS:
        limit, holds = wanted.number, ORDERINGS[symbol]
        return lambda word: limit is not None and _is_number(word) and holds(float(word), limit)
    return lambda word: wanted.equals(word) is (symbol == "=")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
