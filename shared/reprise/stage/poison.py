"""Tell which message of a batch may be a poison pill: one that ends the process that deals with it.

Such a process reports nothing: SQS hands all messages of its batch over again, and their receive counts are
the only trace. Every other message is answered, and sent afresh before its count gets high. So a high count
says that a message ends processes, by time or memory, or was in a batch with one that does; dealt with alone,
it shows which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

RENEW_RECEIVES: Final = 20
"""Receives after which a message that waits is sent afresh; the queue allows fifty."""
MAX_POISON_RECEIVES: Final = 30
"""Receives after which a message that was dealt with alone is given up."""
APART_S: Final = 60.0
"""Time between those of one batch that may be poison, so that they do not come together again."""


def find_poison(receive_counts: Sequence[int]) -> int | None:
    """Return the index of the one message of a batch to deal with, or None if all can be.

    Of several that may be poison it is that with the fewest receives: the innocent ones end, and the count
    of the others goes on to grow.
    """
    found = [index for index, count in enumerate(receive_counts) if count > RENEW_RECEIVES]
    return min(found, key=lambda index: receive_counts[index]) if found else None


def waits_behind(receive_counts: Sequence[int], chosen: int) -> dict[int, float]:
    """Return the seconds that the other messages of a batch wait, by index."""
    waits_s: dict[int, float] = {}
    behind = 0
    for index, count in enumerate(receive_counts):
        if index != chosen:
            behind += count > RENEW_RECEIVES
            waits_s[index] = APART_S * behind if count > RENEW_RECEIVES else 0.0
    return waits_s
