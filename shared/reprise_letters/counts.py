"""Count what became of letters: pure rules."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reprise_letters.job import LetterOutcome
    from reprise_letters.redrive import Action


@dataclass(slots=True)
class OutcomeCounts:
    """Counts outcomes that become more and more, each of them once."""

    _ends: dict[str, Action] = field(default_factory=dict)
    _counts: Counter[Action] = field(default_factory=Counter)
    _seen: int = 0

    def of(self, outcomes: Sequence[LetterOutcome]) -> dict[str, int]:
        """Return how many letters came to what, by action: each by what became of it last.

        Args:
            outcomes: Those of the last time, and what came since.
        """
        for one in outcomes[self._seen :]:
            if one.message_id in self._ends:
                self._counts[self._ends[one.message_id]] -= 1
            self._ends[one.message_id] = one.action
            self._counts[one.action] += 1
        self._seen = len(outcomes)
        return {action.value: count for action, count in sorted(self._counts.items()) if count}


def counts_of(outcomes: Iterable[LetterOutcome]) -> dict[str, int]:
    """Return how many came to what, by action: each by what became of it last."""
    return OutcomeCounts().of(list(outcomes))
