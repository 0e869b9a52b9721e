"""The unpacker dies at every step there is, before it and after it; the next run must not notice."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import pytest

from harness import MAIL, ORDERS, Pipeline, call
from reprise.gate.state import GateState, Mode
from reprise.replay.message import read_message
from reprise.testing import SUCCEEDED

CALLS = 4
STEPS = ("put", "stream", "send", "read", "update", "keys", "record", "give_back")


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Fuse:
    """Counts the steps of a run, and ends it at one of them."""

    at: int | None = None
    is_after: bool = False
    steps: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def wire(self, double: object) -> Any:
        return Wired(double, self)

    def burn(self, name: str) -> bool:
        """Count a step; tell whether the process dies at it."""
        with self._lock:
            self.steps.append(name)
            return len(self.steps) - 1 == self.at


class Wired:
    """A double whose every step may be the last."""

    def __init__(self, double: object, fuse: Fuse) -> None:
        self._double = double
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._double, name)
        if name not in STEPS:
            return step

        def wired(*args: Any, **kwargs: Any) -> Any:
            dies = self._fuse.burn(name)
            if dies and not self._fuse.is_after:
                raise Crash
            answer = step(*args, **kwargs)
            if dies:
                raise Crash
            return answer

        return wired


def let(pipeline: Pipeline, orders: str, mail: str) -> None:
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    for function, mode in ((ORDERS, orders), (MAIL, mail)):
        pipeline.gate_items.images[function] = GateState(
            mode=mode, window=100.0, holding_since_ms=now_ms, probe_at_ms=now_ms + 2000, waiting=5
        )


def make_pipeline() -> tuple[Pipeline, list[str], str]:
    pipeline = Pipeline()
    ids = pipeline.capture(*[call(b"%d" % n, function=(ORDERS, MAIL)[n % 2]) for n in range(CALLS)])
    return pipeline, ids, pipeline.store()


def take_in(pipeline: Pipeline, fuse: Fuse, bodies: list[str]) -> list[str]:
    """Run the unpacker on messages; return those that come again, all of them if it died."""
    plain = (
        pipeline.objects,
        pipeline.keys,
        pipeline.ledger,
        pipeline.replay_queue,
        pipeline.capture_queue,
        pipeline.gate_items,
    )
    (
        pipeline.objects,
        pipeline.keys,
        pipeline.ledger,
        pipeline.replay_queue,
        pipeline.capture_queue,
        pipeline.gate_items,
    ) = map(fuse.wire, plain)
    try:
        again = pipeline.take_in(*bodies)
    except Crash:
        again = [f"n{index}" for index in range(len(bodies))]
    (
        pipeline.objects,
        pipeline.keys,
        pipeline.ledger,
        pipeline.replay_queue,
        pipeline.capture_queue,
        pipeline.gate_items,
    ) = plain
    return [bodies[int(name[1:])] for name in again]


def take_folded(pipeline: Pipeline) -> list[str]:
    bodies = [message.body for message in pipeline.capture_queue.sent]
    pipeline.capture_queue.sent.clear()
    return bodies


def parked(pipeline: Pipeline) -> dict[str, bytes]:
    kept = pipeline.objects.kept
    return {key: data for key, data in kept.items() if key.startswith("parked/")}


def run(fuse: Fuse, orders: str, mail: str, *, dies_opening: bool) -> Fuse:
    """Split an object, then open what was folded, and prove that nothing is missing or run twice.

    The crash comes while the object is split, or while what was folded is opened.
    """
    pipeline, ids, body = make_pipeline()
    whole, _, _ = make_pipeline()
    let(whole, orders, mail)
    whole.take_in(body)
    let(pipeline, orders, mail)
    left = take_in(pipeline, Fuse() if dies_opening else fuse, [body])
    left = [*left, *take_folded(pipeline)]
    if not dies_opening:
        left = [*take_in(pipeline, Fuse(), left), *take_folded(pipeline)]
        # The same objects, whether or not somebody died over them.
        assert parked(pipeline) == parked(whole)
    for attempt in range(3):
        let(pipeline, Mode.FLOWING, Mode.FLOWING)
        left = take_in(pipeline, fuse if dies_opening and not attempt else Fuse(), left)
        left += take_folded(pipeline)
    assert left == []
    messages = pipeline.take_sent()
    assert {read_message(message.body).record.id for message in messages} == set(ids)
    pipeline.functions.script = [SUCCEEDED] * len(messages)
    pipeline.replay(*messages)
    assert len(pipeline.functions.invoked) == len(ids)
    return fuse


@pytest.mark.parametrize("dies_opening", [False, True], ids=["splitting", "opening"])
@pytest.mark.parametrize("mail", [Mode.FLOWING, Mode.HOLDING], ids=["mail flows", "mail holds"])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_changes_nothing(
    mail: Mode, *, is_after: bool, dies_opening: bool
) -> None:
    steps = run(Fuse(), Mode.HOLDING, mail, dies_opening=dies_opening).steps
    assert {"stream", "keys", "read"} <= set(steps)
    assert ("put" in steps) or dies_opening
    for at in range(len(steps)):
        run(Fuse(at=at, is_after=is_after), Mode.HOLDING, mail, dies_opening=dies_opening)
