"""The whole world at one moment, in small numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

type Queued = tuple[tuple[int, int], ...]
"""Messages of a queue: the tick at which each is due, and its number."""


class Bounds(NamedTuple):
    """How much may happen in a run; a state has what is left of it."""

    faults: int = 0
    """Crashes, refused requests, lost answers, requests that the SDK repeats, batches sent in part, second
    deliveries, processes that outlive their time, each at every step."""
    failures: int = 0
    """Executions that fail, and throttles."""
    redrives: int = 0
    callers: int = 0
    """Live calls, each by the key of a captured call."""
    cancels: int = 0
    total: int = 99
    """Of all these together, redrives apart: without something before it there is nothing to redrive."""


class State(NamedTuple):
    """All that the future depends on."""

    tick: int
    images: tuple[int, ...]
    """Numbers of the table's items: a row a call, then the gate."""
    replays: Queued
    captures: Queued
    letters: tuple[int, ...]
    processes: tuple[int, ...]
    """Numbers of their tapes."""
    seen: tuple[int, ...]
    """What the promise must remember: see `Promise`."""
    left: Bounds

    def queue(self, name: str) -> Queued:
        """Return a queue's messages."""
        return self.replays if name == "replays" else self.captures

    def with_queue(self, name: str, messages: Queued) -> State:
        """Return the state with other messages in a queue."""
        if name == "replays":
            return self._replace(replays=messages)
        return self._replace(captures=messages)


class Step(NamedTuple):
    """One step."""

    who: str
    what: str
    how: str
    state: State
    """After it."""
    broken: str = ""
    """What of the promise it breaks."""


@lru_cache(maxsize=1 << 12)
def spent(left: Bounds, bound: str) -> Bounds | None:
    """Return what is left of the bounds once more of one of them is used; None if nothing was."""
    if not bound:
        return left
    number = getattr(left, bound)
    cost = int(bound != "redrives")
    if not number or left.total < cost:
        return None
    return left._replace(**{bound: number - 1, "total": left.total - cost})
