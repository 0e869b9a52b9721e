"""Find few of a failing seed's faults that are enough, and tell what happened with only those.

Faults are numbered in the order in which they are drawn, and a run may be given the numbers of those that are
let happen. With fewer of them the run goes another way: then the numbers mean other faults, which does not
matter as long as it fails in the same way.

Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulation.run import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_RUNS: Final = 300


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A failing run with few faults."""

    kept: frozenset[int]
    """Numbers of the faults that were let happen."""
    faults: int
    """How many there were at first."""
    broken: list[tuple[str, str]]
    simulation: Simulation

    def trace(self) -> list[str]:
        """Return what happened to the calls that were broken, and every fault; all if none is named."""
        lines = self.simulation.trace()
        said = " ".join(what for _, what in self.broken)
        names = [name for name in self.simulation.history.plans if name in said]
        kinds = set(self.simulation.faults.met)
        if not names:
            return lines
        return [
            line
            for line, (_, _, what, key, fault) in zip(
                lines, self.simulation.faults.trace, strict=True
            )
            if what in kinds or fault in kinds or any(name in key for name in names)
        ]


def judged(simulation: Simulation) -> list[tuple[str, str]]:
    """Run, and return what was broken; a defect that ends the run is a finding, too."""
    try:
        return simulation.run()
    except Exception as error:  # noqa: BLE001 - see above
        return [("error", f"{type(error).__name__}: {error}")]


def shrink(seed: int, make: Callable[[int, frozenset[int] | None], Simulation]) -> Shrunk | None:
    """Return a run of a failing seed with as few faults as were found to do; None if it does not fail.

    Args:
        seed: Which.
        make: Makes a run of a seed with only these faults, or all.
    """
    first = make(seed, None)
    broken = judged(first)
    if not broken:
        return None
    kinds, runs = {kind for kind, _ in broken}, 0
    total = first.faults.drawn
    best = Shrunk(frozenset(range(1, total + 1)), total, broken, first)

    def fails(kept: frozenset[int]) -> bool:
        nonlocal best, runs
        runs += 1
        simulation = make(seed, kept)
        found = judged(simulation)
        if kinds.isdisjoint(kind for kind, _ in found):
            return False
        best = Shrunk(kept, total, found, simulation)
        return True

    low, high = 0, total
    while low < high:
        # What was drawn after the failure was not needed for it.
        middle = (low + high) // 2
        low, high = (low, middle) if fails(frozenset(range(1, middle + 1))) else (middle + 1, high)
    size = max(1, len(best.kept) // 2)
    while runs < MOST_RUNS:
        if not _is_less_by(best.kept, size, fails):
            if size == 1:
                break
            size //= 2
    return best


def _is_less_by(kept: frozenset[int], size: int, fails: Callable[[frozenset[int]], bool]) -> bool:
    """Leave out pieces of this size one after the other; tell whether any was not needed."""
    numbers, is_less = sorted(kept), False
    for start in range(0, len(numbers), size):
        fewer = kept - set(numbers[start : start + size])
        if len(fewer) < len(kept) and fails(fewer):
            kept, is_less = fewer, True
    return is_less


def with_faults(seed: int, kept: frozenset[int] | None) -> Simulation:
    return Simulation(seed, kept=kept)
