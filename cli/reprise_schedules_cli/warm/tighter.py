"""A tighter warm window: its expression, what it saves, and whether enough is known to say so; pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from reprise_schedules_cli.schedule.expression import write_expression
from reprise_schedules_cli.warm.shares import hours_field, ping_cost_usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise_schedules_cli.warm.shares import Seen
    from reprise_schedules_cli.warm.survey import Survey

FEWEST_DAYS: Final = 5
"""Days with a live call: working days of a week."""
SHORTEST: Final = timedelta(days=7)
"""History under one schedule: a week has each of its days."""
FEWEST_CALLS: Final = 200
"""Live calls: of fewer, the 5 % that are left out are ten, and may be chance."""
MONTH: Final = timedelta(days=30)
_FIELDS: Final = 6


def tightened(schedule: str | None, hours: Sequence[int]) -> str:
    """Return a window's expression with other hours; of a rate, every ten minutes of these."""
    text = write_expression(schedule or "")
    fields = text.removeprefix("cron(").removesuffix(")").split()
    if not text.startswith("cron(") or len(fields) != _FIELDS:
        fields = ["0/10", "*", "*", "*", "?", "*"]
    fields[1] = hours_field(hours)
    return f"cron({' '.join(fields)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChange:
    """Another schedule for a window."""

    old: str
    new: str
    old_pings: int
    """In the next 30 days, of all functions."""
    new_pings: int
    saved_usd: float
    """In 30 days, at list price; below 0 it costs more."""


def price_change(
    old: tuple[str, int],
    new: tuple[str, int],
    environments: Mapping[str, int],
    seen: Sequence[Seen],
) -> ScheduleChange:
    """Return what another schedule saves.

    Args:
        old: The expression in force, and how often it is due in 30 days.
        new: The same of the other one.
        environments: Pings of each function at each due time.
        seen: What was reported; without any, a ping costs its request.
    """
    per_due = sum(environments.values())
    saved = {name: (old[1] - new[1]) * each for name, each in environments.items()}
    return ScheduleChange(
        old=old[0],
        new=new[0],
        old_pings=old[1] * per_due,
        new_pings=new[1] * per_due,
        saved_usd=ping_cost_usd(seen, saved),
    )


def what_is_missing(found: Survey, since: datetime, now: datetime) -> str | None:
    """Return why the history is too short to change a window by it; None if it is long enough."""
    calls = sum(found.live.values())
    days = {entry.at.astimezone(found.zone).date() for entry in found.seen}
    if now - since < SHORTEST:
        return f"the window has been as it is for {(now - since).days} of {SHORTEST.days} days"
    if len(days) < FEWEST_DAYS:
        return f"calls are known of {len(days)} days, and it takes {FEWEST_DAYS}"
    if calls < FEWEST_CALLS:
        return f"{calls} live calls are known, and it takes {FEWEST_CALLS}"
    return None
