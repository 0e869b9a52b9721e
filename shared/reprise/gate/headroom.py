"""Leave live traffic its headroom: the most that replays of a target may use of its concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reprise.policy.policy import Policy


def most_at_once(limit: int | None, policy: Policy) -> int | None:
    """Return how many replays of a target may run at once at most, at least 1; None for no cap.

    Args:
        limit: The target's reserved concurrency, or what the account leaves to functions without
            one; None if unknown. 0 counts as unknown: it is about to be raised, or nothing passes.
        policy: The target's policy: `headroom` of the limit is live traffic's own.
    """
    if not limit:
        return policy.max_concurrency
    most = max(1, int(limit * (1 - policy.headroom)))
    return min(most, policy.max_concurrency or most)
