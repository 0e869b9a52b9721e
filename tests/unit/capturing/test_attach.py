"""A caller that waits has the outcome of a kept call within one request, and causes no second execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import FAILED, LARGE, THROTTLED, Pipeline, call
from reprise.capturing.answer import write_answer
from reprise.capturing.repeat import Claim
from reprise.ledger import State
from reprise.ports import Reply
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.call.target import Target
    from reprise.capturing.invoker import Answer

URL = "reprise://{id}"
WAITS = call(key="k", wait_s=30.0)


def _go_on(pipeline: Pipeline) -> Callable[[float], object]:
    """Return what the rest of the pipeline does while a caller waits."""

    def go_on(seconds: float) -> None:
        pipeline.clock.advance(seconds)
        if pipeline.lines:
            pipeline.take_in(pipeline.store())
            pipeline.lines.clear()
        pipeline.replay(*pipeline.take_sent())

    return go_on


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize("payload", [b'{"ok":true}', LARGE], ids=["short", "long"])
def test_who_waits_has_the_late_result_of_its_own_call(key: str | None, payload: bytes) -> None:
    pipeline = Pipeline()
    late = Reply(outcome=SUCCEEDED.outcome, payload=payload)
    pipeline.functions.script = [THROTTLED, late]
    pipeline.pause = _go_on(pipeline)

    request = call(key=key, wait_s=30.0)
    answer = pipeline.caller().run(request)

    assert answer.reply.payload == payload
    said = write_answer(request, answer, URL)
    assert (said["StatusCode"], said["reprise"]["late_result"]) == (200, True)
    assert len(pipeline.functions.invoked) == 2  # refused, and replayed


def test_when_time_is_over_the_call_is_kept_as_without_waiting() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    answer = pipeline.caller().run(WAITS)
    assert write_answer(WAITS, answer, URL)["StatusCode"] == 202
    assert sum(pipeline.pauses) == pytest.approx(30)


def test_two_calls_of_one_key_are_one_execution_and_both_have_its_outcome() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    attached: list[Answer] = []
    go_on = _go_on(pipeline)

    def call_again(seconds: float) -> None:
        if not attached and pipeline.ledger.rows:
            pipeline.pause = go_on
            attached.append(pipeline.caller().run(WAITS))
        elif not attached:
            pipeline.clock.advance(seconds)
            pipeline.take_in(pipeline.store())
            pipeline.lines.clear()

    pipeline.pause = call_again
    first = pipeline.caller().run(WAITS)
    assert [first.reply.payload, attached[0].reply.payload] == [b'{"ok":true}'] * 2
    assert first.late is not None
    assert attached[0].late == first.late
    assert len(pipeline.functions.invoked) == 2  # refused, and replayed


def test_who_waits_for_a_call_that_is_given_up_learns_why() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":2}}')
    pipeline.functions.script = [FAILED, FAILED]
    pipeline.pause = _go_on(pipeline)
    answer = pipeline.caller().run(WAITS)
    assert answer.captured is None
    assert not answer.is_passed_through
    said = write_answer(WAITS, answer, URL)
    assert (said["StatusCode"], said["error"]["code"]) == (502, "ValueError")
    assert said["reprise"]["state"] == "dead_lettered"
    assert said["reprise"]["reason"] == "exhausted"
    assert said["reprise"]["status_token"]
    assert "FunctionError" not in said


def test_a_call_that_is_kept_stays_kept_when_the_ledger_is_away() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    request = call(wait_s=5.0)
    pipeline.ledger.faults.fail("get", 9)
    assert pipeline.caller().run(request).captured is not None


@pytest.mark.parametrize("then", [SUCCEEDED, THROTTLED], ids=["succeeds", "is refused"])
def test_a_call_beside_a_running_one_waits_for_that_ones_end(then: Reply) -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(call(key="k"))
    repeats, capturer = pipeline.repeats(), pipeline.capturer()
    running = repeats.begin(call(key="k"), capturer)
    assert isinstance(running, Claim)

    def end(seconds: float) -> None:
        pipeline.clock.advance(seconds)
        repeats.end(running, then, capturer)

    pipeline.pause = end
    answer = pipeline.caller().run(WAITS)

    assert answer.reply.payload == b'{"ok":true}'
    has_run = len(pipeline.functions.invoked) == 2
    # Refused for good, a key is free for the one that waited, as for any later one.
    assert has_run == (then is THROTTLED)
    assert (answer.late is not None) == (then is SUCCEEDED)


def test_a_call_beside_one_that_runs_on_is_captured_and_leaves_itself_time_to_run() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(call(key="k"))
    beside: list[Answer] = []

    def answer(_target: Target, _payload: bytes) -> Reply:
        if not beside:
            beside.append(pipeline.caller().run(WAITS))
        return SUCCEEDED

    pipeline.functions.answer = answer
    pipeline.caller().run(call(key="k"))
    assert beside[0].captured is not None
    assert beside[0].reply.outcome.code == "CallInProgress"
    # For the claim 15 seconds, so that a call of 60 fits into 75; the rest for the end.
    assert sum(pipeline.pauses) == pytest.approx(30)
    assert next(iter(pipeline.ledger.rows.values())).state is State.SUCCEEDED
