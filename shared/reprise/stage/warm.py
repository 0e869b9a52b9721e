"""Keep environments of functions warm, by pings that overlap."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from reprise import metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.ports import Meter
    from reprise.schedule.ping import WarmOrder

MAX_PINGS: Final = 200
"""Pings at once: each is a thread for as long as its function runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """How a ping ended."""

    is_cold: bool | None = None
    """It started an environment: nothing had kept one warm. None: its log tail does not tell."""
    is_throttled: bool = False
    """The function was busy up to its limit, and so as warm as can be."""
    is_failed: bool = False


class Pings(Protocol):
    """Pings functions."""

    def ping(self, function: str, payload: bytes) -> Ping:
        """Ping once; never raise for how it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStage:
    """Pings every function of a list."""

    pings: Pings
    meter: Meter

    def run(self, order: WarmOrder) -> dict[str, int]:
        """Ping all functions, and return how the pings ended. Throttles are counted, and silent."""
        # Function by function, so that the pings of one overlap even if there are many functions.
        asked = [function for function in order.names for _ in range(order.concurrency)]
        with ThreadPoolExecutor(max_workers=min(MAX_PINGS, len(asked))) as pool:
            ended = list(pool.map(lambda function: self.pings.ping(function, order.body), asked))
        counts = dict(_count(ended))
        for name, value in counts.items():
            self.meter.count(name, value)
        return counts


def _count(ended: list[Ping]) -> Iterator[tuple[str, int]]:
    yield metric.WARM_PINGS, len(ended)
    told = [ping.is_cold for ping in ended if ping.is_cold is not None]
    if told:
        # No count at all where no tail tells: 0 would say that every environment was warm.
        yield metric.WARM_COLD_STARTS, sum(told)
    yield metric.WARM_THROTTLED, sum(ping.is_throttled for ping in ended)
    yield metric.WARM_FAILED, sum(ping.is_failed for ping in ended)
