"""Write capture lines into an object of their own, which takes the way of every other capture object.

Whoever does so vouches for where the lines came from, and for nothing else: each is believed by its MAC
alone, and what the ledger knows is suppressed.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_BYTES: Final = 4 * 1024 * 1024
"""Text of one envelope, which is one log event's neighbours: what the unpacker holds in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Where the lines of an object came from."""

    owner: str
    """Account."""
    log_group: str
    log_stream: str
    subscription: str
    """Who takes them in."""

    def pack(self, lines: Sequence[str], at_ms: int) -> bytes:
        """Return lines as CloudWatch Logs hands them to a subscription: one gzip member.

        Source: CloudWatch Logs user guide, "Using subscription filters" (example of a decoded record).
        """
        events = [
            {"id": f"{number:056d}", "timestamp": at_ms, "message": line}
            for number, line in enumerate(lines)
        ]
        document = {
            "messageType": "DATA_MESSAGE",
            "owner": self.owner,
            "logGroup": self.log_group,
            "logStream": self.log_stream,
            "subscriptionFilters": [self.subscription],
            "logEvents": events,
        }
        return gzip.compress(json.dumps(document).encode(), mtime=0)


def pieces(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield lines by as many as one envelope holds."""
    piece: list[str] = []
    size_bytes = 0
    for line in lines:
        if piece and size_bytes + len(line) > MOST_BYTES:
            yield piece
            piece, size_bytes = [], 0
        piece.append(line)
        size_bytes += len(line)
    if piece:
        yield piece
