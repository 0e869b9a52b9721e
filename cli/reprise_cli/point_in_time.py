"""Read a point in time as people type it: an instant, or how far from now."""

from __future__ import annotations

from datetime import datetime, timedelta

from reprise.instant import parse_instant
from reprise_cli.duration import parse_duration
from reprise_cli.exits import UsageError


def read_point(option: str, text: str, now: datetime, *, is_ahead: bool = False) -> datetime:
    """Return the instant that `2026-01-31T12:00Z` means, or a duration such as `3h`.

    A day is its beginning, and what names no offset is UTC, as all that we write.

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
        instant = datetime.fromisoformat(f"{text[:-1]}Z" if text.endswith("z") else text)
        return parse_instant(f"{instant.isoformat()}{'' if instant.tzinfo else 'Z'}")
    except ValueError as error:
        raise UsageError(
            option,
            f"{text!r} is neither an instant nor a duration",
            "Write 2026-01-31, 2026-01-31T12:00Z, or 10m for ten minutes "
            f"{'from now' if is_ahead else 'ago'}",
        ) from error


def read_ago(option: str, text: str | None, now: datetime) -> datetime | None:
    """Return the instant that lies a duration ago; None if none was given.

    Raises:
        UsageError: If it is no duration; names the option.
    """
    if text is None:
        return None
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        message = str(error) if isinstance(error, ValueError) else "is too long"
        raise UsageError(option, message, "Correct it") from error
