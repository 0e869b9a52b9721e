"""The course of a chaos test as numbers over time: pure rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSample:
    """How the calls stood at one moment."""

    at_s: float
    """Seconds since the test began."""
    captured: int = 0
    replayed: int = 0
    """Captured calls that have succeeded."""
    dead: int = 0
    """Captured calls that were given up."""

    @property
    def waiting(self) -> int:
        """Return how many captured calls have not ended."""
        return self.captured - self.replayed - self.dead


@dataclass(slots=True)
class Timeline:
    """Samples, the oldest first."""

    samples: list[LedgerSample] = field(default_factory=list)

    def add(self, sample: LedgerSample) -> None:
        """Take one more sample; time does not go back."""
        if self.samples and sample.at_s < self.samples[-1].at_s:
            msg = f"a sample of {sample.at_s} s cannot follow one of {self.samples[-1].at_s} s"
            raise ValueError(msg)
        self.samples.append(sample)

    @property
    def last(self) -> LedgerSample:
        """Return how the calls stand; nothing has happened before the first sample."""
        return self.samples[-1] if self.samples else LedgerSample(at_s=0.0)

    def rates(self, width: int) -> dict[str, list[float]]:
        """Return what happened in each of `width` equal stretches of time, per series.

        `captured`, `replayed` and `dead` are calls in that stretch; `waiting` is a level.
        """
        edges = self._levels(width)
        return {
            "captured": _steps([sample.captured for sample in edges]),
            "waiting": [float(sample.waiting) for sample in edges[1:]],
            "replayed": _steps([sample.replayed for sample in edges]),
            "dead": _steps([sample.dead for sample in edges]),
        }

    def _levels(self, width: int) -> list[LedgerSample]:
        """Return the last sample at or before each of the `width` + 1 edges between stretches."""
        end_s = self.last.at_s
        levels: list[LedgerSample] = [LedgerSample(at_s=0.0)]
        index = 0
        for edge in range(1, width + 1):
            edge_s = end_s * edge / width
            while index < len(self.samples) and (
                self.samples[index].at_s <= edge_s or edge == width
            ):
                index += 1
            levels.append(self.samples[index - 1] if index else LedgerSample(at_s=0.0))
        return levels


def _steps(levels: Sequence[int]) -> list[float]:
    return [float(after - before) for before, after in pairwise(levels)]


def sparkline(values: Sequence[float]) -> str:
    """Return values as a line of bars: a blank for nothing, the highest bar for the highest value."""
    highest = max(values, default=0.0)
    if highest <= 0:
        return " " * len(values)
    return "".join(
        " " if value <= 0 else _BARS[min(len(_BARS) - 1, int(value / highest * len(_BARS)))]
        for value in values
    )
