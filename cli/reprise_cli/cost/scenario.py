"""What is asked for, and how AWS's units round it: pure rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from reprise_cli.cost import measured

CHUNK_BYTES: Final = 64 * 1024
"""What one SQS request is billed for at most (SQS pricing: each chunk of 64 KB is a request)."""
BATCH_BYTES: Final = 1024 * 1024
"""Most bytes of an SQS batch (SQS quotas, since 2025-08)."""
BATCH_ENTRIES: Final = 10
FIREHOSE_STEP_BYTES: Final = 5 * 1024
"""Firehose pricing: a record of Direct PUT is rounded up to 5 KB."""
KB_BYTES: Final = 1024
FULL_CPU_MB: Final = 1_769
"""Lambda developer guide, "Configure function memory": one vCPU at 1,769 MB, and in proportion below."""
MB_PER_GB: Final = 1024
OBJECT_BYTES: Final = 5 * 1024 * 1024
BUFFERING_S: Final = 60
"""Firehose writes an object after so many bytes or seconds (infra/capture.yaml, its defaults)."""
MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
MIN_MEMORY_MB: Final = 128
MAX_MEMORY_MB: Final = 10_240
LINE_EXTRA_BYTES: Final = 26
"""CloudWatch Logs API, PutLogEvents: an event counts its bytes, and 26."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An outage, the calls that it refused, and the stack that keeps them.

    Raises:
        ValueError: If a number is out of its range; the message begins with the option.
    """

    calls: int = 100_000
    """Captured in the outage, all of them."""
    outage_s: float = 3_600.0
    payload_bytes: int = 1_000
    reply_bytes: int = 200
    targets: int = 1
    memory_mb: int = 1_024
    """Of unpacker and replayer (infra/replay.yaml)."""
    failures: float = 0.0
    """Failed attempts a call, on the average, before the one that ends it."""
    target_s: float = 0.2
    """How long the target takes for a replay."""

    def __post_init__(self) -> None:
        """Refuse what no stack could have."""
        bounds = {
            "--calls": (self.calls, 1, 10**12),
            "--outage": (self.outage_s, 1, 30 * 86_400),
            "--payload-bytes": (self.payload_bytes, 0, MAX_PAYLOAD_BYTES),
            "--reply-bytes": (self.reply_bytes, 0, MAX_PAYLOAD_BYTES),
            "--targets": (self.targets, 1, 10_000),
            "--memory-mb": (self.memory_mb, MIN_MEMORY_MB, MAX_MEMORY_MB),
            "--failures": (self.failures, 0, 100),
            "--target-time": (self.target_s, 0, 1_800),
        }
        for option, (value, least, most) in bounds.items():
            if not least <= value <= most:
                msg = f"{option} must be from {least:,} to {most:,}, and is {value:,}"
                raise ValueError(msg)

    @property
    def is_claim_check(self) -> bool:
        """Tell whether the payload travels as an object of S3; it is taken not to shrink."""
        return self.payload_bytes > measured.INLINE_PAYLOAD_BYTES

    @property
    def carried_bytes(self) -> int:
        """Return what the payload adds to a line; a claim check's reference is in the line's own bytes."""
        return 0 if self.is_claim_check else self.payload_bytes

    @property
    def line_bytes(self) -> int:
        """Return a capture line's bytes, as CloudWatch Logs counts them."""
        return measured.LINE_BYTES + self.carried_bytes + LINE_EXTRA_BYTES

    @property
    def message_bytes(self) -> int:
        """Return the bytes of a message of the replay queue."""
        return measured.MESSAGE_BYTES + self.carried_bytes

    @property
    def objects(self) -> int:
        """Return how many objects Firehose writes in the outage: by time or by size, whichever are more."""
        by_time = min(self.calls, math.ceil(self.outage_s / BUFFERING_S))
        return max(by_time, math.ceil(self.calls * self.line_bytes / OBJECT_BYTES))


def batch_requests(message_bytes: int) -> float:
    """Return SQS's billed requests a message, sent or received by as many as a batch holds.

    It never falls as messages grow: a fuller batch of n messages bills 16 of n, and one message fewer
    at least 16 (n - 1) / n of (n - 1).
    """
    entries = max(1, min(BATCH_ENTRIES, BATCH_BYTES // max(1, message_bytes)))
    return math.ceil(entries * message_bytes / CHUNK_BYTES) / entries


def alone_requests(message_bytes: int) -> int:
    """Return SQS's billed requests of a message that is sent or received alone."""
    return max(1, math.ceil(message_bytes / CHUNK_BYTES))


def write_units(item_bytes: int) -> int:
    """Return the write units of one item, however many requests or batches carry it.

    Source: DynamoDB developer guide, "Read and write operations": an update bills the larger of the item
    before and after it, a batch each of its items, and a condition that fails bills its write.
    """
    return max(1, math.ceil(item_bytes / KB_BYTES))


def firehose_bytes(record_bytes: int) -> int:
    """Return what Firehose bills for a record."""
    return math.ceil(record_bytes / FIREHOSE_STEP_BYTES) * FIREHOSE_STEP_BYTES


def gb_seconds(cpu_s: float, wait_s: float, memory_mb: int) -> float:
    """Return Lambda's GB-seconds: CPU takes longer below a full vCPU, waiting does not."""
    slower = FULL_CPU_MB / min(memory_mb, FULL_CPU_MB)
    return (cpu_s * slower + wait_s) * memory_mb / MB_PER_GB
