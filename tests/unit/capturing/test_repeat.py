"""A caller that calls again with the key of a captured call: one effect, and an honest answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from doubles import InMemoryGateItems, InMemoryLedger
from harness import FAILED, LARGE, ORDERS, THROTTLED, UNKNOWN, Pipeline, call
from reprise import metric
from reprise.call.request import CallRequest
from reprise.call.target import Target
from reprise.capturing.answer import write_answer
from reprise.capturing.open_calls import BELIEVED_FOR_MS
from reprise.capturing.repeat import LEASE_MARGIN_S
from reprise.capturing.status import find_row
from reprise.capturing.status_token import read_status_token
from reprise.errors import StoreError
from reprise.instant import parse_instant
from reprise.ledger import State
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.capturing.invoker import Answer
    from reprise.gate.state import GateState
    from reprise.ledger import Row
    from reprise.ports import OutMessage, Reply

URL = "reprise://{id}"
REQUEST = call(key="k")


def make_backlog(pipeline: Pipeline) -> list[OutMessage]:
    """Capture a call with a key through the front door, and unpack its line."""
    pipeline.functions.script = [THROTTLED]
    assert pipeline.caller().run(REQUEST).captured is not None
    assert pipeline.take_in(pipeline.store()) == []
    return pipeline.take_sent()


def again(pipeline: Pipeline, reply: Reply = SUCCEEDED, request: CallRequest = REQUEST) -> Answer:
    """Call in another process, which has to find out for itself."""
    pipeline.functions.script = [reply]
    return pipeline.caller().run(request)


def die_while_running(pipeline: Pipeline) -> None:
    """Let an invoker end while its target runs."""

    def die(_target: Target, _payload: bytes) -> Reply:
        raise KeyboardInterrupt

    pipeline.functions.answer = die
    with pytest.raises(KeyboardInterrupt):
        pipeline.caller().run(REQUEST)
    pipeline.functions.answer = None


def only_row(pipeline: Pipeline) -> Row:
    (row,) = pipeline.ledger.rows.values()
    return row


def runs(pipeline: Pipeline) -> int:
    return len(pipeline.functions.invoked)


def test_a_call_without_a_key_asks_no_store_whatever_waits() -> None:
    pipeline = Pipeline()
    make_backlog(pipeline)
    for operation in ("record", "get", "settle", "release"):
        pipeline.ledger.faults.fail(operation, 9)
    pipeline.gate_items.faults.fail("read", 9)
    assert again(pipeline, request=call()).is_passed_through


def test_a_call_with_a_key_reads_one_gate_a_second_and_no_row_where_nothing_waits() -> None:
    pipeline = Pipeline()
    pipeline.gate_items = gates = CountingGates()
    pipeline.ledger.faults.fail("record", 99)
    stage = pipeline.caller()
    for number in range(5):
        assert stage.run(call(key=f"k{number}")).is_passed_through
    assert gates.reads == 1
    pipeline.clock.advance(BELIEVED_FOR_MS / 1000)
    stage.run(REQUEST)
    assert gates.reads == 2


class CountingGates(InMemoryGateItems):
    reads = 0

    def read(self, function: str) -> GateState:
        self.reads += 1
        return super().read(function)


def test_a_captured_call_whose_key_succeeds_live_before_its_line_arrives_does_not_run_again() -> (
    None
):
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)

    answer = again(pipeline)

    assert answer.is_passed_through
    assert only_row(pipeline).state is State.SUCCEEDED
    pipeline.take_in(pipeline.store())
    assert pipeline.take_sent() == []
    assert runs(pipeline) == 2  # the refused one, and the one that ran


def test_a_key_whose_captured_call_waits_gets_its_202_again() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    first = pipeline.caller().run(REQUEST).captured
    pipeline.take_in(pipeline.store())

    answer = again(pipeline)

    assert first is not None
    assert answer.captured == first
    assert runs(pipeline) == 1
    assert len(pipeline.lines) == 1
    said = write_answer(REQUEST, answer, URL)
    assert (said["StatusCode"], said["reprise"]["id"]) == (202, first.call_id)
    assert said["reprise"]["status_token"] == first.status_token


@pytest.mark.parametrize(
    "reply", [SUCCEEDED, replace(SUCCEEDED, payload=LARGE)], ids=["short", "long"]
)
def test_a_key_whose_captured_call_has_succeeded_gets_its_late_result_marked_as_such(
    reply: Reply,
) -> None:
    pipeline = Pipeline()
    messages = make_backlog(pipeline)
    pipeline.functions.script = [reply]
    pipeline.replay(*messages)

    answer = again(pipeline, FAILED)

    assert answer.reply.payload == reply.payload
    assert runs(pipeline) == 2
    if reply is SUCCEEDED:
        said = write_answer(REQUEST, answer, URL)
        row = only_row(pipeline)
        assert said["Payload"] == '{"ok":true}'
        assert said["StatusCode"] == 200
        assert said["reprise"]["late_result"] is True
        assert said["reprise"]["id"] == row.id
        token = read_status_token(
            row.id, said["reprise"]["status_token"], pipeline.invoker_keys.keys()
        )
        assert token is not None
        assert find_row(pipeline.ledger, row.id, token) == row
    assert not answer.is_passed_through


def test_a_late_result_that_was_not_kept_is_answered_202() -> None:
    pipeline = Pipeline()
    messages = make_backlog(pipeline)
    pipeline.functions.script = [replace(SUCCEEDED, payload=LARGE)]
    pipeline.objects.faults.fail("put")
    pipeline.replay(*messages)
    assert only_row(pipeline).state is State.SUCCEEDED
    assert again(pipeline).captured is not None
    assert runs(pipeline) == 2


def test_a_late_result_that_cannot_be_read_now_is_answered_202() -> None:
    pipeline = Pipeline()
    messages = make_backlog(pipeline)
    pipeline.functions.script = [replace(SUCCEEDED, payload=LARGE)]
    pipeline.replay(*messages)
    pipeline.objects.faults.fail("get")
    answer = again(pipeline)
    assert answer.captured is not None
    assert runs(pipeline) == 2


def test_a_key_whose_captured_call_runs_gets_202() -> None:
    pipeline = Pipeline()
    make_backlog(pipeline)
    row = only_row(pipeline)
    pipeline.ledger.lease(row.id, owner="replayer", now=pipeline.clock(), until_ms=2**50)
    answer = again(pipeline)
    assert answer.captured is not None
    assert answer.captured.call_id == row.id
    assert runs(pipeline) == 1


def test_a_live_call_holds_its_key_while_it_runs_and_one_beside_it_is_captured() -> None:
    """Whether the first is captured, if it fails, nobody knows: so a line stands behind the 202."""
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    beside: list[Answer] = []

    def answer(_target: Target, _payload: bytes) -> Reply:
        if not beside:
            beside.append(pipeline.caller().run(REQUEST))
        return SUCCEEDED

    pipeline.functions.answer = answer
    assert pipeline.caller().run(REQUEST).is_passed_through
    assert beside[0].captured is not None
    assert beside[0].reply.outcome.code == "CallInProgress"
    assert runs(pipeline) == 2
    assert len(pipeline.lines) == 2
    pipeline.take_in(pipeline.store())
    assert pipeline.take_sent() == []


@pytest.mark.parametrize("reply", [THROTTLED, FAILED], ids=lambda r: r.outcome.kind)
def test_a_live_call_that_did_not_succeed_leaves_its_key_as_it_was(reply: Reply) -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    assert again(pipeline, reply).captured is not None
    assert pipeline.ledger.rows == {}
    pipeline.take_in(pipeline.store())
    assert only_row(pipeline).state is State.CAPTURED


def test_a_function_error_that_is_an_answer_leaves_no_row() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    pipeline.functions.script = [FAILED]
    stage = replace(pipeline.caller(), capture_outcomes=frozenset({THROTTLED.outcome.kind}))
    assert stage.run(REQUEST).is_passed_through
    assert pipeline.ledger.rows == {}


@pytest.mark.parametrize(
    ("policy", "state"), [("{}", "dead_lettered"), ('{"default":{"idempotent":true}}', "succeeded")]
)
def test_a_live_call_with_a_key_that_may_have_run_is_its_policys_to_decide(
    policy: str, state: str
) -> None:
    pipeline = Pipeline(policy=policy)
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    pipeline.clock.advance(5)
    again(pipeline, UNKNOWN)
    assert only_row(pipeline).state is State.WAITING
    kept = again(pipeline)
    assert kept.captured is not None
    pipeline.take_in(pipeline.store())
    pipeline.functions.script = [SUCCEEDED]
    # That of the live call first: of several lines of a key, the first one's try is charged.
    for message in reversed(pipeline.take_sent()):
        pipeline.replay(message)
    row = only_row(pipeline)
    assert row.state == state
    assert row.attempts == 1  # the live one that may have run, charged once
    ends = pipeline.meter.counts[metric.SUCCEEDED] + pipeline.meter.counts[metric.DEAD_LETTERED]
    assert (pipeline.meter.counts[metric.RECORDED], ends) == (1, 1)


def test_a_claim_whose_owner_died_is_an_unknown_outcome() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    die_while_running(pipeline)
    assert only_row(pipeline).state is State.LEASED

    pipeline.clock.advance(pipeline.call_timeout_s + LEASE_MARGIN_S + 1)
    answer = again(pipeline)
    assert answer.captured is not None
    assert answer.reply.outcome.code == "LeaseExpired"
    pipeline.clock.advance(5)
    pipeline.take_in(pipeline.store())
    for message in pipeline.take_sent():
        pipeline.replay(message)
    row = only_row(pipeline)
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "unknown")
    counts = pipeline.meter.counts
    assert (counts[metric.RECORDED], counts[metric.DEAD_LETTERED]) == (1, 1)
    assert runs(pipeline) == 2  # the refused one, and the one that may have run


def test_a_message_whose_key_is_claimed_waits_seconds_and_no_lease() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    die_while_running(pipeline)
    pipeline.take_in(pipeline.store())
    (message,) = pipeline.take_sent()
    assert pipeline.replay(message) == ["m0"]
    (wait_s,) = pipeline.replay_queue.waits_s.values()
    assert 1 <= wait_s <= 10
    assert runs(pipeline) == 2


def test_a_key_whose_call_was_given_up_runs_live_and_is_answered_for_good() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    messages = make_backlog(pipeline)
    pipeline.functions.script = [FAILED]
    pipeline.replay(*messages)
    assert only_row(pipeline).state is State.DEAD_LETTERED
    assert again(pipeline).is_passed_through
    assert only_row(pipeline).state is State.SUCCEEDED
    assert only_row(pipeline).result == '{"ok":true}'


def test_a_success_ends_a_call_that_was_given_up_and_opened_again_while_it_ran() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    messages = make_backlog(pipeline)
    pipeline.functions.script = [FAILED]
    pipeline.replay(*messages)
    dead = only_row(pipeline)
    assert dead.state is State.DEAD_LETTERED
    pipeline.clock.advance(60)

    def open_again(_target: Target, _payload: bytes) -> Reply:
        assert pipeline.ledger.redrive(dead, now=pipeline.clock())
        return SUCCEEDED

    pipeline.functions.answer = open_again
    assert pipeline.caller().run(REQUEST).is_passed_through
    pipeline.functions.answer = None

    assert only_row(pipeline).state is State.SUCCEEDED
    before = runs(pipeline)
    assert pipeline.replay(*messages) == []
    assert runs(pipeline) == before


def give_up(pipeline: Pipeline) -> list[OutMessage]:
    """Let a captured call with a key come to its end without success."""
    messages = make_backlog(pipeline)
    pipeline.functions.script = [FAILED]
    pipeline.replay(*messages)
    assert only_row(pipeline).state is State.DEAD_LETTERED
    pipeline.clock.advance(60)
    return messages


def run_over_end(pipeline: Pipeline, meanwhile: Callable[[], object], reply: Reply) -> Answer:
    """Call live with the key of a call that was given up; something happens while it runs."""

    def answer(_target: Target, _payload: bytes) -> Reply:
        pipeline.functions.answer = None
        meanwhile()
        return reply

    pipeline.functions.answer = answer
    return pipeline.caller().run(REQUEST)


ONE_ATTEMPT = '{"default":{"maximum_attempts":1}}'


def test_what_was_given_up_runs_once_though_two_call_live_at_the_same_time() -> None:
    pipeline = Pipeline(policy=ONE_ATTEMPT)
    give_up(pipeline)
    before = runs(pipeline)
    others: list[Answer] = []
    mine = run_over_end(pipeline, lambda: others.append(again(pipeline)), SUCCEEDED)
    assert mine.is_passed_through
    assert others[0].reply.outcome.code == "CallInProgress"
    assert others[0].captured is not None
    assert runs(pipeline) == before + 1
    pipeline.take_in(pipeline.store())
    assert pipeline.replay(*pipeline.take_sent()) == []
    assert (only_row(pipeline).state, runs(pipeline)) == (State.SUCCEEDED, before + 1)


@pytest.mark.parametrize("is_redriven", [False, True], ids=["captured again", "redriven"])
def test_what_opens_a_call_waits_for_the_live_one_that_runs_over_its_end(
    *, is_redriven: bool
) -> None:
    pipeline = Pipeline(policy=ONE_ATTEMPT)
    messages = give_up(pipeline)
    before, dead = runs(pipeline), only_row(pipeline)

    def open_again() -> None:
        sent = messages
        if is_redriven:
            assert pipeline.ledger.redrive(dead, now=pipeline.clock())
        else:
            pipeline.lines.clear()
            pipeline.functions.script = [THROTTLED]
            pipeline.capturer().capture(REQUEST, THROTTLED.outcome)
            pipeline.take_in(pipeline.store("captured/later.gz"))
            sent = pipeline.take_sent()
        assert len(pipeline.replay(*sent)) == len(sent)
        assert only_row(pipeline).state is State.CAPTURED

    assert run_over_end(pipeline, open_again, SUCCEEDED).is_passed_through
    assert (only_row(pipeline).state, runs(pipeline)) == (State.SUCCEEDED, before + 1)


def test_what_a_live_call_could_not_do_either_is_replayed_at_once() -> None:
    pipeline = Pipeline(policy=ONE_ATTEMPT)
    give_up(pipeline)
    kept = run_over_end(pipeline, lambda: None, THROTTLED)
    assert kept.captured is not None
    assert only_row(pipeline).claimed_by is None
    pipeline.take_in(pipeline.store())
    pipeline.functions.script = [SUCCEEDED]
    assert pipeline.replay(*pipeline.take_sent()) == []
    assert only_row(pipeline).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("policy", "state", "extra"),
    [
        (ONE_ATTEMPT, State.DEAD_LETTERED, 0),
        ('{"default":{"maximum_attempts":3,"idempotent":true}}', State.SUCCEEDED, 1),
    ],
)
def test_a_live_call_that_dies_over_a_calls_end_is_an_unknown_outcome(
    policy: str, state: State, extra: int
) -> None:
    pipeline = Pipeline(policy=ONE_ATTEMPT)
    give_up(pipeline)
    die_while_running(pipeline)
    before = runs(pipeline)
    pipeline.policy = policy
    pipeline.clock.advance(pipeline.call_timeout_s + LEASE_MARGIN_S + 1)
    answer = again(pipeline)
    assert answer.captured is not None
    assert answer.reply.outcome.code == "LeaseExpired"
    pipeline.take_in(pipeline.store())
    for message in pipeline.take_sent():
        pipeline.functions.script = [SUCCEEDED]
        while pipeline.replay(message):
            pipeline.clock.advance(60)
    row = only_row(pipeline)
    assert (row.state, runs(pipeline)) == (state, before + extra)
    assert not row.claimed_by


def test_a_redrive_says_that_a_live_call_which_died_over_the_end_did_not_run() -> None:
    pipeline = Pipeline(policy=ONE_ATTEMPT)
    messages = give_up(pipeline)
    die_while_running(pipeline)
    pipeline.clock.advance(pipeline.call_timeout_s + LEASE_MARGIN_S + 1)
    assert pipeline.ledger.redrive(only_row(pipeline), now=pipeline.clock())
    pipeline.functions.script = [SUCCEEDED]
    assert pipeline.replay(*messages) == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_a_message_of_a_call_that_a_live_one_runs_over_waits_seconds() -> None:
    pipeline = Pipeline(policy=ONE_ATTEMPT)
    give_up(pipeline)
    die_while_running(pipeline)
    pipeline.lines.clear()
    pipeline.capturer().capture(REQUEST, THROTTLED.outcome)
    pipeline.take_in(pipeline.store("captured/later.gz"))
    (message,) = pipeline.take_sent()
    assert pipeline.replay(message) == ["m0"]
    (wait_s,) = pipeline.replay_queue.waits_s.values()
    assert 1 <= wait_s <= 10


def test_a_key_that_names_another_payload_is_not_answered_with_the_firsts_result() -> None:
    pipeline = Pipeline()
    messages = make_backlog(pipeline)
    pipeline.functions.script = [SUCCEEDED]
    pipeline.replay(*messages)
    other = call(b'{"order":2}', key="k")
    answer = again(pipeline, request=other)
    assert answer.is_passed_through
    assert runs(pipeline) == 3


def test_a_call_whose_key_cannot_be_claimed_is_captured_and_not_run() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(REQUEST)
    pipeline.ledger.faults.fail("record")
    answer = again(pipeline)
    assert answer.captured is not None
    assert answer.reply.outcome.code == "LedgerAway"
    assert runs(pipeline) == 1


def test_a_gate_that_is_away_stops_no_live_call() -> None:
    pipeline = Pipeline()
    make_backlog(pipeline)
    pipeline.gate_items.faults.fail("read")
    assert again(pipeline).is_passed_through


def test_who_may_not_write_the_ledger_runs_as_without_a_key() -> None:
    pipeline = Pipeline()
    make_backlog(pipeline)

    pipeline.ledger = ReadOnlyLedger(rows=pipeline.ledger.rows)
    assert again(pipeline).is_passed_through


class ReadOnlyLedger(InMemoryLedger):
    def record(self, row: Row) -> Row | None:
        del row
        raise StoreError("dynamodb", "PutItem", "AccessDeniedException", "not allowed")


def test_whoever_replays_a_call_with_a_key_keeps_it_known_for_as_long_as_it_waits() -> None:
    policy = (
        '{"default":{"initial_interval_s":7200,"maximum_interval_s":14400,"max_age_s":1209600}}'
    )
    pipeline = Pipeline(policy=policy)
    messages = make_backlog(pipeline)
    pipeline.functions.script = [FAILED]
    pipeline.replay(*messages)
    due_ms = only_row(pipeline).due_at_ms
    pipeline.gate_items.images[ORDERS] = replace(pipeline.gate_items.images[ORDERS], waiting=0)
    pipeline.clock.now = parse_instant(only_row(pipeline).updated_at)
    pipeline.clock.advance(due_ms / 1000 - pipeline.clock.now.timestamp() - 1)
    answer = again(pipeline)
    assert answer.captured is not None
    assert runs(pipeline) == 2


def test_another_targets_key_is_another_call() -> None:
    pipeline = Pipeline()
    make_backlog(pipeline)
    other = CallRequest(
        target=Target(function=ORDERS, qualifier="live"), payload=b"{}", idempotency_key="k"
    )
    assert again(pipeline, request=other).is_passed_through
    lines = [json.loads(line)["id"] for line in pipeline.lines]
    assert len(lines) == 1


@pytest.mark.parametrize("is_unpacked", [False, True], ids=["on its way", "unpacked"])
def test_a_second_click_that_is_captured_while_the_first_runs_does_not_run_when_the_first_succeeds(
    *, is_unpacked: bool
) -> None:
    """The first began before anything was captured, and so holds no claim."""
    pipeline = Pipeline()

    def answer(_target: Target, _payload: bytes) -> Reply:
        if runs(pipeline) > 1:
            return THROTTLED
        assert pipeline.caller().run(REQUEST).captured is not None
        pipeline.clock.advance(BELIEVED_FOR_MS / 1000)
        if is_unpacked:
            pipeline.take_in(pipeline.store())
        return SUCCEEDED

    pipeline.functions.answer = answer
    assert pipeline.caller().run(REQUEST).is_passed_through

    assert only_row(pipeline).state is State.SUCCEEDED
    pipeline.take_in(pipeline.store())
    for message in pipeline.take_sent():
        pipeline.replay(message)
    assert runs(pipeline) == 2
    assert again(pipeline).late is not None


def test_a_success_that_cannot_be_told_is_the_callers_all_the_same() -> None:
    pipeline = Pipeline()
    make_backlog(pipeline)
    pipeline.gate_items.faults.fail("read")
    pipeline.ledger.faults.fail("record")
    stage = pipeline.caller()

    def answer(_target: Target, _payload: bytes) -> Reply:
        pipeline.clock.advance(60)
        return SUCCEEDED

    pipeline.functions.answer = answer
    assert stage.run(REQUEST).is_passed_through


# --- keys that stand for their request, whatever a gateway adds to its bytes ---


def in_other_bytes(number: int) -> CallRequest:
    return call(b'{"order":1,"at":%d}' % number, key="k", key_covers_payload=True)


def make_covered_backlog(pipeline: Pipeline) -> list[OutMessage]:
    pipeline.functions.script = [THROTTLED]
    assert pipeline.caller().run(in_other_bytes(1)).captured is not None
    assert pipeline.take_in(pipeline.store()) == []
    return pipeline.take_sent()


def test_a_key_that_stands_for_its_request_gets_the_202_again_in_other_bytes() -> None:
    pipeline = Pipeline()
    make_covered_backlog(pipeline)
    answer = again(pipeline, request=in_other_bytes(2))
    assert answer.captured is not None
    assert answer.captured.call_id == only_row(pipeline).id
    assert runs(pipeline) == 1


def test_a_key_that_stands_for_its_request_gets_the_late_result_in_other_bytes() -> None:
    pipeline = Pipeline()
    messages = make_covered_backlog(pipeline)
    pipeline.functions.script = [SUCCEEDED]
    pipeline.replay(*messages)
    answer = again(pipeline, request=in_other_bytes(2))
    assert answer.late is not None
    assert answer.reply.payload == SUCCEEDED.payload
    assert runs(pipeline) == 2  # the refused one, and its replay


def test_a_live_success_in_other_bytes_keeps_the_line_on_its_way_from_running() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(in_other_bytes(1))
    assert again(pipeline, request=in_other_bytes(2)).is_passed_through
    pipeline.take_in(pipeline.store())
    assert pipeline.take_sent() == []
    assert runs(pipeline) == 2


def test_two_lines_of_one_request_in_other_bytes_are_replayed_once() -> None:
    pipeline = Pipeline()
    for number in (1, 2):
        pipeline.functions.script = [THROTTLED]
        assert pipeline.caller().run(in_other_bytes(number)).captured is not None
    pipeline.take_in(pipeline.store())
    assert len(pipeline.take_sent()) == 1


def test_a_request_whose_key_was_given_up_runs_again_and_is_kept_as_a_call_of_its_own() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    messages = make_covered_backlog(pipeline)
    pipeline.functions.script = [FAILED]
    pipeline.replay(*messages)
    first = only_row(pipeline)
    assert first.state is State.DEAD_LETTERED
    answer = again(pipeline, THROTTLED, in_other_bytes(2))
    assert answer.captured is not None
    assert answer.captured.call_id != first.id
    assert runs(pipeline) == 3
    assert again(pipeline, request=in_other_bytes(3)).is_passed_through
    # A redrive of the first is told that it has happened.
    assert only_row(pipeline).state is State.SUCCEEDED


def test_a_request_in_other_bytes_beside_one_that_runs_is_captured_and_does_not_run_after_it() -> (
    None
):
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.caller().run(in_other_bytes(1))
    beside: list[Answer] = []

    def answer(_target: Target, _payload: bytes) -> Reply:
        if not beside:
            beside.append(pipeline.caller().run(in_other_bytes(3)))
        return SUCCEEDED

    pipeline.functions.answer = answer
    assert pipeline.caller().run(in_other_bytes(2)).is_passed_through
    assert beside[0].captured is not None
    assert beside[0].captured.call_id == only_row(pipeline).id
    pipeline.take_in(pipeline.store())
    assert pipeline.take_sent() == []
    assert runs(pipeline) == 2
