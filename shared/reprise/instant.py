"""Instants as text: ISO 8601, always with an offset, always written in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present, aware: for composition roots, as all else takes a clock."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


def parse_instant(text: str) -> datetime:
    """Return the instant of an ISO 8601 text with its offset, in UTC.

    Raises:
        ValueError: If the text is no ISO 8601 instant, or names no offset.
    """
    # RFC 3339 allows a small z, which msgspec takes and Python does not.
    instant = datetime.fromisoformat(f"{text[:-1]}Z" if text.endswith("z") else text)
    if instant.tzinfo is None:
        msg = f"{text!r} has no offset: add Z for UTC"
        raise ValueError(msg)
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        msg = f"{text!r} is outside the years 1 to 9999 in UTC"
        raise ValueError(msg) from error


def format_instant(instant: datetime) -> str:
    """Return an instant as ISO 8601 in UTC with microseconds, so that texts sort as instants do."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_ms(milliseconds: int) -> datetime:
    """Return the instant that is so many milliseconds after the epoch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
