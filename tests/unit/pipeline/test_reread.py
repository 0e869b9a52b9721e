"""Reading the same object again, grown or not: each call still runs once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harness import Pipeline, call, notification
from reprise.ledger import State

if TYPE_CHECKING:
    from reprise.ports import OutMessage


def replay_all(pipeline: Pipeline, messages: list[OutMessage]) -> None:
    """Replay until nothing waits, in the queue or folded in S3: a new gate lets few through at once."""
    folded: list[str] = []
    while messages or folded or pipeline.capture_queue.sent:
        again = pipeline.replay(*messages)
        messages = [messages[int(name.removeprefix("m"))] for name in again]
        folded += [message.body for message in pipeline.capture_queue.sent]
        pipeline.capture_queue.sent.clear()
        again = pipeline.take_in(*folded)
        folded = [folded[int(name.removeprefix("n"))] for name in again]
        messages += pipeline.take_sent()
        pipeline.clock.advance(60)


@given(sizes=st.lists(st.integers(0, 6), min_size=1, max_size=5), late=st.booleans())
def test_a_key_that_is_rewritten_with_more_records_runs_each_call_once(
    sizes: list[int], *, late: bool
) -> None:
    """Firehose writes the same key again after a partial failure (Firehose guide, retry)."""
    pipeline = Pipeline()
    ids = pipeline.capture(*[call(b'{"n":%d}' % number) for number in range(6)])
    lines = list(pipeline.lines)
    messages = []
    for size in sorted(sizes):
        pipeline.store("captured/x", lines[:size])
        for _ in range(2):
            assert pipeline.take_in(notification("captured/x")) == []
            messages.extend(pipeline.take_sent())
            if not late:
                replay_all(pipeline, messages)
                messages.clear()
    replay_all(pipeline, messages)

    known = ids[: max(sizes)]
    assert sorted(pipeline.ledger.rows) == sorted(known)
    assert {row.state for row in pipeline.ledger.rows.values()} <= {State.SUCCEEDED}
    assert sorted(json.loads(payload)["n"] for _, payload, _ in pipeline.functions.invoked) == list(
        range(max(sizes))
    )
