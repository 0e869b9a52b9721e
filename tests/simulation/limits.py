"""The limits of the simulated queues: small ones, as far beyond the product's renewals as need be.

A message is handed over as if it had been received, and had lain there, almost until it must be renewed. So
the product's constants stay as they are, and each call meets them within minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reprise.replay import message
from reprise.unpack import consumer

BEFORE_RECEIVES: Final = 10
"""Deliveries of a new message before it must be renewed."""
BEFORE_AGE_S: Final = 1800.0
"""Age of a new message at which it must be renewed."""
BEYOND_RECEIVES: Final = 30
"""Further deliveries until SQS would end it, 500 in the deployed queue: where batches outlive their messages'
visibility, and die, it takes some of them until one has sent a message afresh and deleted it."""
BEYOND_AGE_S: Final = 2.5 * 3600
"""Further age at which SQS would delete it, five days in the deployed queue: the longest wait of a scenario's
policy is an hour and a half, and what comes back then may find the queue's in-flight limit reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When SQS ends a message, and how far it is on that way when it is sent."""

    receives_offset: int
    max_receives: int
    age_offset_s: float
    retention_s: float


def replay_limits() -> Limits:
    """Return the limits of the replay queue."""
    receives_offset = message.RENEW_RECEIVES - BEFORE_RECEIVES
    age_offset_s = message.RENEW_AGE_MS / 1000 - BEFORE_AGE_S
    return Limits(
        receives_offset=receives_offset,
        max_receives=message.RENEW_RECEIVES + BEYOND_RECEIVES,
        age_offset_s=age_offset_s,
        retention_s=age_offset_s + BEFORE_AGE_S + BEYOND_AGE_S,
    )


def capture_limits() -> Limits:
    """Return the limits of the capture queue, whose renewals come soon enough as they are."""
    return Limits(
        receives_offset=0,
        max_receives=consumer.RENEW_RECEIVES + 10,
        age_offset_s=0.0,
        retention_s=12 * 3600.0,
    )
