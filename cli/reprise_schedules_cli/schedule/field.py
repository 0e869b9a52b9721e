"""One field of a cron expression: lists, ranges and steps of numbers or names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.errors import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PART: Final = re.compile(r"(?P<start>\*|\w+)(?:-(?P<end>\w+))?(?:/(?P<step>\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The bounds of a field, and the names that stand for its numbers."""

    name: str
    """As AWS calls it."""
    lowest: int
    highest: int
    names: Mapping[str, int] = field(default_factory=dict)
    """Upper case."""

    def values(self, text: str) -> frozenset[int]:
        """Return the numbers that a field's text means.

        `a/b` is every b-th from a to the highest. A range must not run backwards: AWS does not say
        what it would mean.

        Raises:
            ScheduleError: Naming the field.
        """
        found: set[int] = set()
        for part in text.split(","):
            match = _PART.fullmatch(part)
            if match is None:
                raise self._refuse(part or text)
            start = self.lowest if match["start"] == "*" else self._number(match["start"])
            if match["start"] == "*" and match["end"]:
                raise self._refuse(part)
            end = self._end(match, start)
            step = int(match["step"] or 1)
            if step < 1:
                raise ScheduleError(
                    self.name, f"{part!r} has a step of 0", "Use a step of 1 or more"
                )
            found.update(range(start, end + 1, step))
        return frozenset(found)

    def number(self, text: str) -> int:
        """Return the one number that a text means.

        Raises:
            ScheduleError: Naming the field.
        """
        return self._number(text)

    def _end(self, match: re.Match[str], start: int) -> int:
        if match["end"]:
            end = self._number(match["end"])
            if end < start:
                raise ScheduleError(
                    self.name,
                    f"{match[0]!r} runs backwards",
                    f"Write two ranges: {match['start']}-{self.highest},{self.lowest}-{match['end']}",
                )
            return end
        return self.highest if match["start"] == "*" or match["step"] else start

    def _number(self, text: str) -> int:
        number = self.names.get(text.upper())
        if number is None:
            if not text.isdecimal():
                raise self._refuse(text)
            number = int(text[:6])
        if not self.lowest <= number <= self.highest:
            raise ScheduleError(
                self.name,
                f"{text} is out of range",
                f"Use {self.lowest} to {self.highest}{self._names()}",
            )
        return number

    def _names(self) -> str:
        if not self.names:
            return ""
        return f", or {next(iter(self.names))} to {list(self.names)[-1]}"

    def _refuse(self, text: str) -> ScheduleError:
        return ScheduleError(
            self.name,
            f"{text!r} cannot be read",
            f"Use numbers from {self.lowest} to {self.highest}{self._names()}, "
            "with , for lists, - for ranges and / for steps",
        )
