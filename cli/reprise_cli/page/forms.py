"""Read what a request says: queries and JSON objects, as selections and wishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise.retry.decision import Reason
from reprise_cli.duration import parse_duration
from reprise_cli.exits import UsageError
from reprise_letters.letter import Selection, error_pattern
from reprise_letters.pace import parse_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CORRECT: Final = "Correct it, then try again"
_MAX_CHARS: Final = 1024
_FILTERS: Final = ("target", "reason", "error", "older_than", "newer_than")


def text_of(asked: Mapping[str, Any], name: str) -> str:
    """Return a text; empty if it is not there.

    Raises:
        UsageError: If it is no text, or too long.
    """
    value = asked.get(name) or ""
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        raise UsageError(name, f"is no text of at most {_MAX_CHARS} characters", _CORRECT)
    return value.strip()


def count_of(asked: Mapping[str, Any], name: str, *, least: int = 1) -> int | None:
    """Return a number; None if it is not there.

    Raises:
        UsageError: If it is none, or too small.
    """
    value = asked.get(name)
    if value is None or value == "":
        return None
    digits = str(value)
    is_number = digits.isascii() and digits.isdigit() and not isinstance(value, bool)
    if not is_number or len(digits) > len(str(_MOST)) or int(digits) < least:
        raise UsageError(name, f"{digits[:32]!r} is no number from {least}", _CORRECT)
    return int(digits)


_MOST: Final = 1_000_000


def read_selection(asked: Mapping[str, Any], *, is_all: bool = False) -> Selection:
    """Return which letters are meant.

    Args:
        asked: What the request says: filters as `reprise dlq` has them, `ids`, `max`, and `all`.
        is_all: Whether no filter means every letter, whatever the request says.

    Raises:
        UsageError: If one of them cannot be understood.
    """
    reason = text_of(asked, "reason") or None
    if reason is not None and reason not in set(Reason):
        raise UsageError("reason", f"{reason!r} is none", f"One of {', '.join(Reason)}")
    ids = asked.get("ids") or []
    if not isinstance(ids, list) or not all(isinstance(one, str) and one for one in ids):
        raise UsageError("ids", "is no list of ids", _CORRECT)
    return Selection(
        ids=frozenset(ids),
        reason=reason,
        target=text_of(asked, "target") or None,
        error=_parsed("error", text_of(asked, "error"), error_pattern),
        older_than_s=_parsed("older_than", text_of(asked, "older_than"), parse_duration),
        newer_than_s=_parsed("newer_than", text_of(asked, "newer_than"), parse_duration),
        is_all=is_all or asked.get("all") is True,
        max_count=count_of(asked, "max"),
    )


def said_filters(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return what was chosen, as it was typed: the audit keeps it."""
    said = {name: text_of(asked, name) for name in _FILTERS}
    said["max"] = str(asked.get("max") or "")
    said["ids"] = ", ".join(asked.get("ids") or ())
    said["all"] = "yes" if asked.get("all") is True else ""
    return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plea:
    """How letters are to be dealt with, and how many the reader has agreed to."""

    selection: Selection
    filters: dict[str, str]
    why: str
    rate_per_s: float | None
    canary: int | None
    """None: as the command does it."""
    agreed: int | None


def read_plea(asked: Mapping[str, Any]) -> Plea:
    """Return what the reader wants done.

    Raises:
        UsageError: If it cannot be understood, or does not say which letters.
    """
    selection = read_selection(asked)
    if selection.is_empty:
        raise UsageError("letters", "none are meant", "Choose some, or say all")
    return Plea(
        selection=selection,
        filters=said_filters(asked),
        why=text_of(asked, "why"),
        rate_per_s=_parsed("rate", text_of(asked, "rate"), parse_rate),
        canary=count_of(asked, "canary", least=0),
        agreed=count_of(asked, "agreed"),
    )


def _parsed[Value](name: str, text: str, parse: Callable[[str], Value]) -> Value | None:
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(name, str(error), _CORRECT) from error
