"""The explored steps are the product's own, in its own order."""

from __future__ import annotations

from typing import Any

import pytest

from exploration.roles import Cast, Start, request_of
from exploration.state import Bounds
from exploration.tape import Answer
from exploration.world import World
from harness import FAILED, ORDERS, Pipeline
from reprise.testing import SUCCEEDED

POLICY = '{"default":{"maximum_attempts":1}}'


class Recorder:
    """Notes what changes a store, and passes on."""

    def __init__(self, store: Any, notes: list[str], names: dict[str, str]) -> None:
        self._store = store
        self._notes = notes
        self._names = names

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in self._names:
            return method

        def noted(*args: Any, **kwargs: Any) -> Any:
            self._notes.append(self._names[name])
            return method(*args, **kwargs)

        return noted


def recorded(reply: Any) -> list[str]:
    """Return what a replayer does with one message on recording doubles."""
    pipeline: Any = Pipeline(policy=POLICY)
    (message,) = pipeline.captured_messages(request_of(0))
    # As whoever captured it has noted.
    pipeline.repeats().open_calls.note(ORDERS)
    pipeline.functions.script = [reply]
    notes: list[str] = []
    pipeline.gate_items = Recorder(pipeline.gate_items, notes, {"update": "write gate"})
    pipeline.ledger = Recorder(
        pipeline.ledger,
        notes,
        dict.fromkeys(("lease", "settle", "mark_letter_sent"), "write call 0"),
    )
    pipeline.functions = Recorder(pipeline.functions, notes, {"invoke": "invoke call 0"})
    pipeline.dead_letters = Recorder(
        pipeline.dead_letters, notes, {"send": "send letters of call 0"}
    )
    assert pipeline.replay(message) == []
    return notes


def explored(how: str) -> list[str]:
    """Return the steps of the explorer's replayer with the same message, without those that only read."""
    world = World(cast=Cast(policy=POLICY), calls=1)
    state, steps = world.first, list[str]()
    while not state.replays:
        state = next(iter(world.steps(state))).state
    while wanted := [
        step
        for step in world.steps(state._replace(left=Bounds(failures=1)))
        if step.who == "r1" and step.how in {"", how}
    ]:
        step = next((each for each in wanted if each.how == how), wanted[0])
        state = step.state
        if not step.what.startswith("read"):
            steps.append(step.what.partition(":")[0])
    return steps


@pytest.mark.parametrize(
    ("reply", "how"), [(SUCCEEDED, ""), (FAILED, "failed")], ids=["success", "given up"]
)
def test_replayer_explored_takes_the_steps_of_the_replayer_on_doubles(reply: Any, how: str) -> None:
    assert explored(how) == recorded(reply)


def test_ledger_is_told_before_the_letter_is_sent() -> None:
    assert explored("failed") == [
        "write gate",
        *("write call 0", "invoke call 0", "write call 0"),
        *("send letters of call 0", "write call 0"),
        "write gate",
    ]


def test_a_process_that_is_played_again_asks_the_same() -> None:
    cast = Cast(policy=POLICY)
    World(cast=cast, calls=1)
    start = Start("caller", "c1", 0, ("0",))
    first = cast.next_request(start, ())
    answers = ((Answer("ok", {}), 0),)

    assert cast.next_request(start, ()) == first
    assert cast.next_request(start, answers) == cast.next_request(start, answers) != first
