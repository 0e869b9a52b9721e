"""Players that replay within a limit shared by all replayers, each with a rule of the literature.

They have what the product has around its gate: refusals cost no attempt, failures follow the same policy, and
calls that wait come back about when their turn may have come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from replay_sim.limits import Credits, Gradient
from replay_sim.players import FullJitter, after_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay_sim.world import Batch, Call, Folded, World

PAUSE_S: Final = 1.0
"""A limit of one that was refused waits for so long."""


class Limit(Protocol):
    """How many calls may run at once."""

    limit: float

    def end(self, now_s: float, latency_s: float, *, in_flight: int, is_refused: bool) -> None:
        """Follow a call's end."""


class Limited(FullJitter):
    """Tries what the limit allows."""

    def __init__(self, world: World, limit: Limit) -> None:
        """Run nothing yet."""
        super().__init__(world)
        self.limit, self.in_flight = limit, 0
        self._not_before_s = 0.0
        self._usual_s = 1.0

    def receive(self, batch: Batch, items: Sequence[Call | Folded]) -> None:  # noqa: ARG002 - a player's
        """Start what the limit allows; the others come back later."""
        world = self.world
        for call in list(batch.calls):
            if world.now_s >= self._not_before_s and self.in_flight < int(self.limit.limit):
                self.in_flight += 1
                world.start(batch, call)
            else:
                world.back(batch, call, self._wait_s())
        world.probes.append((world.now_s, self.limit.limit, world.backlog))

    def ended(self, batch: Batch, call: Call, outcome: str, latency_s: float) -> None:
        """Tell the rule, and let the policy decide about a failure."""
        world = self.world
        self.in_flight -= 1
        is_refused = outcome == "throttled"
        self.limit.end(world.now_s, latency_s, in_flight=self.in_flight, is_refused=is_refused)
        if is_refused:
            call.tries -= 1
            if self.limit.limit < 2:  # noqa: PLR2004 - one, that is
                self._not_before_s = world.now_s + PAUSE_S
            world.back(batch, call, self._wait_s())
            return
        self._usual_s += 0.1 * (latency_s - self._usual_s)
        wait_s = after_failure(call.tries, world.random.random()) if outcome != "ok" else None
        if wait_s is not None:
            world.back(batch, call, wait_s)
            return
        batch.calls.remove(call)
        if outcome != "ok":
            world.end(call, is_given_up=True)

    def _wait_s(self) -> float:
        turn_s = self.world.backlog * self._usual_s / self.limit.limit
        return 1 + min(29.0, max(1.0, turn_s)) * self.world.random.random()


class CreditPlayer(Limited):
    """Replays within a pool of credits."""

    name = "credits"

    def __init__(self, world: World) -> None:
        """Start with one credit."""
        super().__init__(world, Credits())


class GradientPlayer(Limited):
    """Replays within a limit that follows latencies."""

    name = "gradient"

    def __init__(self, world: World) -> None:
        """Start with the limit's default."""
        super().__init__(world, Gradient())
