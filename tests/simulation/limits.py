"""The limits of the simulated queues: small ones, as far beyond the product's renewals as need be.

A message is handed over as if it had been received, and had lain there, almost until it must be renewed. So
the product's constants stay as they are, and each call meets them within minutes.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final

from reprise.stage import poison

RENEWAL_MODULES: Final = ("reprise.stage.renew", "reprise.stage.replay")
BEFORE_RECEIVES: Final = 10
"""Deliveries of a new message before it must be renewed."""
BEFORE_AGE_S: Final = 3600.0
"""Age of a new message at which it must be renewed."""
BEYOND_RECEIVES: Final = 14
"""Further deliveries until SQS would end it."""
BEYOND_AGE_S: Final = 4 * 3600.0
"""Further age at which SQS would delete it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When SQS ends a message, and how far it is on that way when it is sent."""

    receives_offset: int
    max_receives: int
    age_offset_s: float
    retention_s: float


def _constant(name: str) -> float:
    """Return a constant of the replay queue's renewals; 0 if the product renews nothing."""
    for module in RENEWAL_MODULES:
        try:
            return float(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError):
            continue
    return 0.0


def replay_limits() -> Limits:
    """Return the limits of the replay queue."""
    receives_offset = max(0, int(_constant("RENEW_RECEIVES")) - BEFORE_RECEIVES)
    renew_age_s = _constant("RENEW_AGE_MS") / 1000 or _constant("RENEW_AGE_S")
    age_offset_s = max(0.0, renew_age_s - BEFORE_AGE_S)
    return Limits(
        receives_offset=receives_offset,
        max_receives=receives_offset + BEFORE_RECEIVES + BEYOND_RECEIVES,
        age_offset_s=age_offset_s,
        retention_s=age_offset_s + BEFORE_AGE_S + BEYOND_AGE_S,
    )


def capture_limits() -> Limits:
    """Return the limits of the capture queue, whose renewals come soon enough as they are."""
    return Limits(
        receives_offset=0,
        max_receives=poison.RENEW_RECEIVES + 10,
        age_offset_s=0.0,
        retention_s=12 * 3600.0,
    )
