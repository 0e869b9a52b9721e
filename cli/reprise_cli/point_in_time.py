"""Read a point in time as people type it: an instant, or how far from now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reprise.instant import parse_instant
from reprise_cli.duration import parse_duration
from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    from datetime import datetime


def read_point(option: str, text: str, now: datetime, *, is_ahead: bool = False) -> datetime:
    """Return the instant that `2026-01-31T12:00Z` means, or a duration such as `3h`.

    Args:
        option: Where it was given.
        text: As it was typed.
        now: The present.
        is_ahead: Whether a duration is one from now on; it is one ago otherwise.

    Raises:
        UsageError: If it is neither; names the option.
    """
    try:
        distance = timedelta(seconds=parse_duration(text))
        return now + distance if is_ahead else now - distance
    except (ValueError, OverflowError):
        pass
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(
            option,
            f"{text!r} is neither an instant with its offset nor a duration",
            f"Write 2026-01-31T12:00:00Z, or 10m for ten minutes {'from now' if is_ahead else 'ago'}",
        ) from error
