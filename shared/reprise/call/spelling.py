"""Spell the fields of a document as we name them, whatever case their first letters have.

AWS's own tools spell one field two ways: `FunctionName` is `functionName` in Java and `JobQueue` is Step
Functions' name of `jobQueue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def other_spelling(name: str) -> str:
    """Return a field's name with its first letter in the other case."""
    return name[:1].swapcase() + name[1:]


def spelt(document: Mapping[str, object], names: Collection[str]) -> dict[str, object]:
    """Return a document with its fields spelt as in `names`; what stands there both ways is left alone."""
    return {
        other_spelling(name)
        if name not in names
        and other_spelling(name) in names
        and other_spelling(name) not in document
        else name: value
        for name, value in document.items()
    }
