"""Uses, priced and added up: pure rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise_cli.cost.prices import PRICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reprise_cli.cost.prices import Service, Sku


@dataclass(frozen=True, slots=True)
class Use:
    """So much of something billed, at a station."""

    station: str
    sku: Sku
    count: float
    why: str

    @property
    def usd(self) -> float:
        """Return what it costs."""
        return self.count * PRICES[self.sku].usd_of_one

    @property
    def service(self) -> Service:
        """Return who bills it."""
        return PRICES[self.sku].service


@dataclass(frozen=True, slots=True)
class Bill:
    """Uses, and what they cost together."""

    uses: tuple[Use, ...]

    @property
    def usd(self) -> float:
        """Return the total."""
        return math.fsum(use.usd for use in self.uses)

    def by_station(self) -> dict[str, float]:
        """Return USD by station, in the order of the uses."""
        return self._by(lambda use: use.station)

    def by_service(self) -> dict[str, float]:
        """Return USD by service, the dearest first."""
        found = self._by(lambda use: use.service.value)
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    def cells(self) -> dict[tuple[str, str], float]:
        """Return USD by station and service."""
        found: dict[tuple[str, str], float] = {}
        for use in self.uses:
            key = (use.station, use.service.value)
            found[key] = found.get(key, 0.0) + use.usd
        return found

    def document(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "usd": self.usd,
            "by_station": self.by_station(),
            "by_service": self.by_service(),
            "uses": [
                {
                    "station": use.station,
                    "service": use.service.value,
                    "unit": use.sku.value,
                    "count": use.count,
                    "usd": use.usd,
                    "why": use.why,
                }
                for use in self.uses
            ],
        }

    def _by(self, key: Callable[[Use], str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for use in self.uses:
            found[key(use)] = found.get(key(use), 0.0) + use.usd
        return found


def bill(uses: Iterable[Use]) -> Bill:
    """Return the bill of what is used at all."""
    return Bill(tuple(use for use in uses if use.count))
