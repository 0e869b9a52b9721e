"""Know which call is meant: by its id, a beginning of it, its caller's key, or nearly: pure rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from reprise.instant import from_ms
from reprise_cli.calls.read_back import looked_for
from reprise_cli.calls.selection import key_of
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from reprise.monitor.read_back import ReadBack

LEAST_PREFIX: Final = 4
_TIME_DIGITS: Final = 12
_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UUID_START: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{0,4}(-[0-9a-f-]*)?)?")
_SUFFIX: Final = re.compile(r"(~[0-9a-f]{32})?(![0-9a-f]{16})?\Z")
ARRIVES: Final = timedelta(minutes=20)
"""Longer than a capture is on its way where nothing is wrong: Firehose buffers for 15 minutes at most."""
AHEAD: Final = timedelta(minutes=5)
"""By how much clocks may differ."""
_MARGIN: Final = timedelta(minutes=5)
_NEAR: Final = 2_000
"""Ids that a near miss is looked for among, the youngest."""
_SHOWN: Final = 5


def made_at(call_id: str) -> datetime | None:
    """Return when an id was made, if it says so: a UUIDv7 does."""
    if not _UUID7.fullmatch(call_id):
        return None
    return from_ms(int(call_id.replace("-", "")[:_TIME_DIGITS], 16))


def window(text: str) -> tuple[datetime, datetime] | None:
    """Return between which instants a call was captured whose id begins so; None if that says nothing."""
    if not _UUID_START.fullmatch(text):
        return None
    digits = text.replace("-", "")[:_TIME_DIGITS]
    first = int(digits.ljust(_TIME_DIGITS, "0"), 16)
    last = int(digits.ljust(_TIME_DIGITS, "f"), 16)
    try:
        # An id is made when a call begins, and captured when its last try has ended.
        return from_ms(first) - _MARGIN, from_ms(last) + timedelta(hours=1)
    except (OverflowError, ValueError, OSError):
        return None


def bare(call_id: str) -> str:
    """Return an id without the digests at its end, which nobody types."""
    return _SUFFIX.sub("", call_id)


@dataclass(slots=True)
class Matches:
    """The calls that a text may mean."""

    text: str
    named: dict[str, None] = field(default_factory=dict)
    """Whose id this is but for its digest."""
    keyed: dict[str, None] = field(default_factory=dict)
    """Whose caller's key it is."""
    begun: dict[str, None] = field(default_factory=dict)
    """Whose id begins with it."""
    others: dict[str, str] = field(default_factory=dict)
    """By what people type of them, some ids that it is not."""
    looked_at: int = 0

    def look(self, ids: Iterable[str]) -> Matches:
        """Look at ids, and return this."""
        text, is_long = self.text, len(self.text) >= LEAST_PREFIX
        for call_id in ids:
            self.looked_at += 1
            name, key = bare(call_id), key_of(call_id)
            if name == text:
                self.named[call_id] = None
            elif key == text:
                self.keyed[call_id] = None
            elif is_long and call_id.startswith(text):
                self.begun[call_id] = None
            elif len(self.others) < _NEAR:
                self.others[name] = call_id
                if key is not None:
                    self.others[key] = call_id
        return self

    @property
    def best(self) -> list[str]:
        """Return the calls that are meant, by the surest way in which any is."""
        return list(self.named or self.keyed or self.begun)

    @property
    def near(self) -> list[str]:
        """Return what may have been mistyped, as people would type it."""
        return get_close_matches(self.text, self.others, 3, 0.75)


def some_of(ids: list[str]) -> str:
    """Return the first few of several ids."""
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def unknown(call_id: str, now: datetime, state: ReadBack) -> tuple[str, str, bool]:
    """Return what to say of an id that nobody knows, what to do, and whether it may still arrive.

    Args:
        call_id: The id.
        now: The present.
        state: How far the stack's log groups have been read back.
    """
    shown = call_id if len(call_id) <= 200 else f"{call_id[:64]}…"  # noqa: PLR2004 - a line or two
    at = made_at(call_id)
    found, may_come = looked_for(state, at, now)
    found = f". {found}" if found else ""
    if at is None:
        return (
            f"no call {shown!r} is known",
            (
                "A captured call is known as soon as its object was read, a minute or two after its capture, "
                "whatever its gate does; `reprise calls list --state all --newer-than 1h` has the latest"
                + found
            ),
            False,
        )
    if at > now + AHEAD:
        return f"no call {shown!r} is known, and its time lies ahead", "Is it mistyped?", False
    age = format_duration(max(0.0, (now - at).total_seconds()))
    if now - at <= ARRIVES:
        return (
            f"call {shown!r} has not arrived yet: its id was made {age} ago",
            (
                "A captured call is known as soon as its object was read, a minute or two after its capture: "
                f"`reprise calls wait {shown}`. If it was captured, and is not known within 20 minutes, "
                "follow docs/runbooks/capture-path.md" + found
            ),
            True,
        )
    if may_come:
        return (
            f"call {shown!r} has not arrived: its id was made {age} ago",
            f"Was it answered 202? docs/runbooks/capture-path.md{found}",
            True,
        )
    return (
        f"no call {shown!r} is known, and its id was made {age} ago: it would have arrived",
        (
            "Was it answered 202? Then its row may have expired (RetentionDays), or it never came: "
            "docs/runbooks/capture-path.md" + found
        ),
        False,
    )
