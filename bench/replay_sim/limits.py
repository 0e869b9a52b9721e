"""Two rules of the literature for how many calls may run at once, as pure state: credits and a gradient.

Both were made for servers that queue, and read latencies. Lambda refuses, and tells no queue's length: so a
refusal counts as the strongest signal that the rule knows, and the delay is what calls take beyond the usual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MOST: Final = 1000.0
"""The widest limit of all."""


@dataclass(slots=True)
class Credits:
    """A pool of credits for calls in flight, after Breakwater (Cho et al., OSDI 2020).

    Once a round trip the pool grows by one while the delay is below its target, and else shrinks in
    proportion to the excess, to a half at most; alpha and beta are the paper's, whose alpha of 0.001 a client
    gives less than one credit here. The paper measures the delay in the server's queue; outside of it, it is
    the mean latency beyond the least mean that was ever seen.
    """

    limit: float = 1.0
    beta: float = 0.02
    target_share: float = 1.0
    """Target of the delay, in least mean latencies."""
    least_s: float = math.inf
    began_at_s: float = 0.0
    latencies_s: float = 0.0
    ended: int = 0
    refused: int = 0

    def end(self, now_s: float, latency_s: float, *, in_flight: int, is_refused: bool) -> None:
        """Count a call's end, and change the pool after each round trip of enough calls."""
        if is_refused:
            self.refused += 1
        else:
            self.ended += 1
            self.latencies_s += latency_s
        enough = min(10.0, self.limit)
        usual_s = self.least_s if self.least_s < math.inf else latency_s
        if self.ended + self.refused >= enough and now_s - self.began_at_s >= usual_s:
            self._change(is_in_use=in_flight + 1 >= self.limit / 2)
            self.began_at_s, self.latencies_s, self.ended, self.refused = now_s, 0.0, 0, 0

    def _change(self, *, is_in_use: bool) -> None:
        if self.refused:
            self.limit *= max(0.5, 1 - self.refused / (self.refused + self.ended))
        else:
            mean_s = self.latencies_s / self.ended
            self.least_s = min(self.least_s, mean_s)
            excess = (mean_s - self.least_s) / (self.target_share * self.least_s) - 1
            if excess > 0:
                self.limit *= max(0.5, 1 - self.beta * excess)
            elif is_in_use:
                self.limit += 1
        self.limit = min(MOST, max(1.0, self.limit))


@dataclass(slots=True)
class Gradient:
    """A limit that follows the gradient of latencies, after Gradient2 of Netflix's concurrency-limits.

    The limit is multiplied by long-term over present latency, and a small queue is allowed beyond it. A
    refusal halves it, once a latency: the original, a server's own, knows none.
    """

    limit: float = 20.0
    queue: float = 4.0
    tolerance: float = 1.5
    smoothing: float = 0.2
    samples: int = 600
    """The long-term latency is the mean of about so many."""
    long_s: float = 0.0
    halved_at_s: float = -math.inf

    def end(self, now_s: float, latency_s: float, *, in_flight: int, is_refused: bool) -> None:
        """Follow a call's end."""
        if is_refused:
            if now_s - self.halved_at_s >= max(1.0, self.long_s):
                self.limit, self.halved_at_s = max(1.0, self.limit / 2), now_s
            return
        if not self.long_s:
            self.long_s = latency_s
        self.long_s += (latency_s - self.long_s) * 2 / (self.samples + 1)
        if self.long_s > 2 * latency_s:
            self.long_s *= 0.95
        if in_flight + 1 < self.limit / 2:
            return
        gradient = min(1.0, max(0.5, self.tolerance * self.long_s / latency_s))
        wanted = self.limit * gradient + self.queue
        self.limit += self.smoothing * (wanted - self.limit)
        self.limit = min(MOST, max(1.0, self.limit))
