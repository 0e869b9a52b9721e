"""Name a target as a metric's dimension: by configuration alone, so that all agree and the bill has a bound.

A name that depended on which targets a process happens to have met would differ from one process to the
next, and all of them together would know no bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = 100
"""Entries of the stack's Targets that get a value of their own."""
OTHER: Final = "other"
"""Where all further targets are counted together."""


def make_labeler(targets: tuple[str, ...]) -> Callable[[str], str]:
    """Return what maps a function ARN to its label, one of `labels(targets)`.

    An entry that names one function gives that function's name. An entry that ends in `*` is one label for
    all of its functions; a function that is also listed by its own name keeps that.

    Args:
        targets: The stack's Targets, in order; the first `LIMIT` entries are told apart.
    """
    shown = targets[:LIMIT]
    exact = {entry: _name(entry) for entry in shown if not entry.endswith("*")}
    # The longest first: the narrowest entry that a function falls under is the one that says most.
    stars = sorted((entry for entry in shown if entry.endswith("*")), key=len, reverse=True)

    def label(function: str) -> str:
        if function in exact:
            return exact[function]
        return next((_name(star) for star in stars if function.startswith(star[:-1])), OTHER)

    return label


def labels(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return every label that targets can have, each once."""
    return tuple(dict.fromkeys([*(_name(entry) for entry in targets[:LIMIT]), OTHER]))


def _name(entry: str) -> str:
    return entry.rpartition(":")[2]
