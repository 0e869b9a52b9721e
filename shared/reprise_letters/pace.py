"""Let so many letters go a second."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)(?:/([sm]))?", re.ASCII)
_MAX_CHARS: Final = 16
_SLICE_S: Final = 5.0
"""Longest sleep: what is in hand must be held on to meanwhile."""


def parse_rate(text: str) -> float:
    """Return a rate as letters a second: `20/s`, `30/m`; a bare number is a second's.

    Raises:
        ValueError: If the text is no rate above zero.
    """
    match = _RATE.fullmatch(text.strip()) if len(text) <= _MAX_CHARS else None
    rate = float(match[1]) / (60 if match[2] == "m" else 1) if match else 0.0
    if rate <= 0:
        msg = f"{text!r} is no rate: write 20/s, or 30/m"
        raise ValueError(msg)
    return rate


@dataclass(slots=True, kw_only=True)
class Pacer:
    """Spreads letters over time."""

    rate_per_s: float | None
    """None: as fast as it goes."""
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    _next_s: float = field(default=0.0, init=False)

    @property
    def at_once(self) -> int:
        """Return how many letters go together, at most what a second has; SQS takes ten."""
        return 10 if self.rate_per_s is None else max(1, min(10, int(self.rate_per_s)))

    def wait(self, count: int, meanwhile: Callable[[], None]) -> None:
        """Wait until so many may go; `meanwhile` is called every few seconds."""
        if self.rate_per_s is None:
            return
        while (wait_s := self._next_s - self.monotonic()) > 0:
            self.sleep(min(wait_s, _SLICE_S))
            meanwhile()
        self._next_s = self.monotonic() + count / self.rate_per_s
