"""Patterns of terms: all of them, any of them (``?``), none of them (``-``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TERM = re.compile(r'[?-]?(?:"(?:[^"\\]|\\.)*"|%[^%]*%|\S+)')


def compile_terms(text: str) -> Callable[[str], bool]:
    """Return the predicate of a term pattern; terms are case sensitive.

    Optional terms beside required ones are ignored, as AWS documents.

    Raises:
        ValueError: If a regular expression is not valid.
    """
    required, optional, forbidden = [], [], []
    for term in _TERM.findall(text):
        if term[0] == "?":
            optional.append(_contains(term[1:]))
        elif term[0] == "-":
            forbidden.append(_contains(term[1:]))
        else:
            required.append(_contains(term))

    def matches(message: str) -> bool:
        if any(found(message) for found in forbidden):
            return False
        if required or not optional:
            return all(found(message) for found in required)
        return any(found(message) for found in optional)

    return matches


def _contains(term: str) -> Callable[[str], bool]:
    if len(term) > 1 and term.startswith("%") and term.endswith("%"):
        try:
            expression = re.compile(term[1:-1])
        except re.error as error:
            message = f"invalid regular expression {term}: {error}"
            raise ValueError(message) from error
        return lambda message: expression.search(message) is not None
    wanted = term[1:-1].replace('\\"', '"') if term.startswith('"') else term
    return lambda message: wanted in message
