"""Breadth first through every state that can be reached, and from each on to the end of all calls.

A state is remembered by its hash of 64 bits; of its trace by the hash of the state before it, so that the
first trace to be found is a shortest one, and is walked again to be told.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exploration.promise import FOUND, LEAKED, LETTER, STUCK
from exploration.state import Bounds, State, Step
from exploration.tape import TICK_S
from reprise.ledger import TERMINAL
from reprise.testing import START_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from exploration.world import World

NOTHING: Final = Bounds()
ENDS: Final = frozenset({FOUND, LETTER, LEAKED, STUCK})
"""What is broken by the whole of a way to the end, and not by a step of it."""
PATIENCE: Final = 400
"""Steps without a fault after which calls that have not ended never will."""

TOLD: Final = 8
"""Of those as many are told."""


@dataclass(slots=True)
class Found:
    """What an exploration has found."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    ends: int = 0
    """States beyond the bounds, on the way from their edge to the end of all calls."""
    kinds: Counter[str] = field(default_factory=Counter)
    broken: str = ""
    trace: list[Step] = field(default_factory=list)


class Explorer:
    """Explores one world."""

    def __init__(self, world: World, told: Callable[[Found, int], None] | None = None) -> None:
        self._world = world
        self._told = told
        self._before: dict[int, int] = {}
        self._good: set[int] = set()
        self._ahead: list[Step] = []
        """The first way to something broken that goes beyond what was explored, step by step."""
        self.found = Found()

    def run(self) -> Found:
        """Explore until something is broken, or there is nothing more."""
        found, level = self.found, [self._world.first]
        self._before[hash(self._world.first)] = 0
        while level and not found.broken:
            if self._ahead and found.depth >= len(self._ahead):
                self._break(self._ahead)
                break
            level = self._next_level(level)
            found.depth += 1
            found.states = len(self._before)
            if self._told is not None:
                self._told(found, len(level))
        found.ends = len(self._good)
        return found

    def _next_level(self, level: list[State]) -> list[State]:
        """Return the states that are one step further, and were not met before."""
        found, before = self.found, self._before
        following: list[State] = []
        for state in level:
            if not self._ahead and (tail := self._end(state)):
                # Another way to it may be shorter than the one that goes by itself.
                self._ahead = self._trace(state) + tail
                if tail[-1].broken in ENDS:
                    self._break(self._ahead)
                    return []
            at = hash(state)
            for step in self._world.steps(state):
                found.transitions += 1
                found.kinds[step.how] += 1
                if step.broken:
                    self._break([*self._trace(state), step])
                    return []
                key = hash(step.state)
                if key not in before:
                    before[key] = at
                    following.append(step.state)
        return following

    def _break(self, trace: list[Step]) -> None:
        self.found.broken, self.found.trace = trace[-1].broken, trace

    def _trace(self, state: State) -> list[Step]:
        """Return the steps to a state, from the first one."""
        hashes = [hash(state)]
        while (at := self._before[hashes[-1]]) != 0:
            hashes.append(at)
        trace: list[Step] = []
        current = self._world.first
        for wanted in reversed(hashes[:-1]):
            step = next(each for each in self._world.steps(current) if hash(each.state) == wanted)
            trace.append(step)
            current = step.state
        return trace

    # --- to the end -------------------------------------------------------------------------------

    def _end(self, state: State) -> list[Step]:
        """Go on without a fault until every call has ended; return the way if it does not, or ends badly."""
        state = state._replace(left=NOTHING)
        passed: list[int] = []
        way: list[Step] = []
        while (at := hash(state)) not in self._good:
            passed.append(at)
            step = self._calm(state)
            if step is None:
                break
            way.append(step)
            if step.broken:
                return way
            if len(way) > PATIENCE:
                return [*way[:TOLD], step._replace(broken=STUCK)]
            state = step.state
        self._good.update(passed)
        return []

    def _calm(self, state: State) -> Step | None:
        """Return the next step of a run without faults; None at its end."""
        world = self._world
        if state.processes:
            number = state.processes[0]
            return next(iter(world.go_on(state, number)))
        for role, queued in (("unpacker", state.captures), ("replayer", state.replays)):
            if queued and queued[0][0] <= state.tick:
                return Step(role, "begins", "", world.receive(state, role, queued[0]))
        if state.captures or state.replays:
            return Step("time", "passes", "", state._replace(tick=state.tick + 1))
        texts = world.effects.texts.values
        letters = {json.loads(texts[each])["reprise"]["id"]: each for each in state.letters}
        for call, call_id in enumerate(world.ids):
            view = world.promise.view(state.images[call])
            if call_id in letters and view is not None and view.state not in TERMINAL:
                # A redrive that was ended half way is done again.
                body = texts[letters[call_id]]
                return Step("operator", "again", "", world.begin(state, "redriver", body, NOTHING))
        now_ms = int(START_AT.timestamp() + TICK_S * state.tick) * 1000
        broken = world.promise.at_end(state, frozenset(letters), now_ms)
        return Step("the end", "", "", state, broken) if broken else None


def lines_of(trace: list[Step]) -> list[str]:
    """Return a trace as lines."""
    return [
        f"{number:3} t{step.state.tick} {step.who:8} {step.what:34} {step.how}".rstrip()
        for number, step in enumerate(trace, 1)
    ]
