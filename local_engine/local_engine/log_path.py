"""The way from log group to Firehose: whole, until a test lets it drop lines.

``POST /_reprise/log-path {"drop": 0.01, "seed": 7}`` loses one matching line in a hundred between its log
group and the delivery stream, drawn with the seed; the line stays in its group. ``DELETE`` makes it whole
again. On AWS lines are skipped where a filter's destination refuses them.

Source: aws-facts, section 1 (CloudWatch Logs User Guide, "Log group-level subscription filters": "logs are
skipped").
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class LogPath:
    """Decides which lines are lost, and counts them."""

    drop: float = 0.0
    """Share of the lines."""
    seed: int = 0
    passed: int = 0
    dropped: int = 0
    _draws: random.Random = field(default_factory=random.Random, repr=False)

    def set(self, drop: float = 0.0, seed: int = 0) -> dict[str, Any]:
        """Lose this share of the lines from now on, and count anew.

        Raises:
            ValueError: If it is no share.
        """
        if not 0 <= drop <= 1:
            message = f"the share of lines to drop must be from 0 to 1, not {drop}"
            raise ValueError(message)
        self.drop, self.seed, self.passed, self.dropped = drop, seed, 0, 0
        self._draws = random.Random(seed)  # noqa: S311 - a test's plan
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """Return the share, and how many lines passed and were lost since it was set."""
        names = ("drop", "seed", "passed", "dropped")
        return {name: getattr(self, name) for name in names}

    def loses(self) -> bool:
        """Tell whether the next line is lost."""
        is_lost = self._draws.random() < self.drop
        self.dropped += is_lost
        self.passed += not is_lost
        return is_lost


LOG_PATH = LogPath()
