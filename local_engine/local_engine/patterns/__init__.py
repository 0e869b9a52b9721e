"""CloudWatch Logs filter patterns: text in, predicate out.

Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax for metric filters,
subscription filters, filter log events, and Live Tail"; aws-facts, section 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from local_engine.patterns.fields import compile_fields
from local_engine.patterns.structured import compile_json
from local_engine.patterns.terms import compile_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    type Predicate = Callable[[str], bool]

__all__ = ["compile_pattern"]


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Predicate:
    """Return the predicate of a pattern over messages; an empty one takes everything.

    Raises:
        ValueError: If the pattern does not follow the grammar.
    """
    text = pattern.strip()
    if not text or text == '" "':
        return lambda _message: True
    if text.startswith("{"):
        return compile_json(text)
    if text.startswith("["):
        return compile_fields(text)
    return compile_terms(text)
