"""Cut a sequence into batches that SQS accepts: a pure rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_ENTRIES: Final = 10
MAX_BATCH_BYTES: Final = 1024 * 1024
"""SQS quotas: ten entries, and 1 MiB for all of them together."""


def batches(sizes_bytes: Sequence[int]) -> Iterator[range]:
    """Yield the index ranges of batches, in order, each as full as it may be.

    A single entry over the limit gets a batch of its own: the service is the one to refuse it.
    """
    start = total_bytes = 0
    for index, size_bytes in enumerate(sizes_bytes):
        is_full = index - start == MAX_ENTRIES or total_bytes + size_bytes > MAX_BATCH_BYTES
        if index > start and is_full:
            yield range(start, index)
            start, total_bytes = index, 0
        total_bytes += size_bytes
    if start < len(sizes_bytes):
        yield range(start, len(sizes_bytes))
