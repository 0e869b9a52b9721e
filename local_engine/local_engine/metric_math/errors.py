"""Why an expression gives nothing."""

from __future__ import annotations


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the message is for its author."""
