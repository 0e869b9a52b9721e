"""Read and write durations as people type them, `20s`, `5m`, `2h`, `1d`, `1m30s`, and rates: pure rules."""

from __future__ import annotations

import re
from typing import Final

from reprise_cli.exits import UsageError
from reprise_letters.pace import parse_rate

_UNITS_S: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION: Final = re.compile(
    r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?", re.ASCII
)
_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_MAX_CHARS: Final = 32


def parse_duration(text: str) -> float:
    """Return the seconds of a duration; a bare number is seconds.

    Raises:
        ValueError: If the text is no duration.
    """
    text = text.strip().lower()
    if 0 < len(text) <= _MAX_CHARS:
        if _SECONDS.fullmatch(text):
            return float(text)
        match = _DURATION.fullmatch(text)
        if match is not None:
            return sum(float(match[unit]) * _UNITS_S[unit] for unit in _UNITS_S if match[unit])
    msg = f"{text!r} is no duration: write 20s, 5m, 2h, 1d or 1m30s"
    raise ValueError(msg)


def format_duration(seconds: float) -> str:
    """Return a duration in at most two units, short enough for a table."""
    if seconds < 1:
        return f"{seconds:.2f}s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f}s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, rest_m = divmod(minutes, 60)
    days, rest_h = divmod(hours, 24)
    if days:
        return f"{days}d{rest_h}h"
    if hours:
        return f"{hours}h{rest_m}m"
    return f"{minutes}m{rest_s}s"


def read_duration(option: str, text: str) -> float:
    """Return the seconds of an option's value.

    Raises:
        UsageError: If it is no duration; names the option.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(option, str(error), "Write for example 30s, 15m or 2h") from error


def read_rate(option: str, text: str) -> float:
    """Return an option's value as so many a second.

    Raises:
        UsageError: If it is no rate; names the option.
    """
    try:
        return parse_rate(text)
    except ValueError as error:
        raise UsageError(option, str(error), "Correct it, then try again") from error
