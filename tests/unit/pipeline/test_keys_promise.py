"""Any order of captures under one key, of their lines, messages and ends: each capture comes to an end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harness import FAILED, THROTTLED, TRANSIENT, UNKNOWN, Pipeline, call
from reprise.call.outcome import OutcomeKind
from reprise.call.payload import digest
from reprise.capturing.status import find_row
from reprise.capturing.status_token import read_status_token
from reprise.instant import format_instant
from reprise.ledger import TERMINAL, State
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from reprise.call.target import Target
    from reprise.capturing.invoker import Captured
    from reprise.ports import OutMessage, Reply

PAYLOADS = (b"1", b"2")
replies = st.sampled_from([SUCCEEDED, SUCCEEDED, FAILED, TRANSIENT, UNKNOWN])


class KeysMachine(RuleBasedStateMachine):
    """Callers who use one key for two payloads, again and again; S3 and SQS as they are; an operator."""

    @initialize()
    def begin(self) -> None:
        self.pipeline = Pipeline(policy='{"default":{"max_age_s":3600}}')
        self.pipeline.functions.answer = self._answer
        self.captures: list[Captured] = []
        self.objects: list[str] = []
        self.lines: dict[str, tuple[bytes, OutcomeKind]] = {}
        self.messages: list[OutMessage] = []
        self.reply: Reply = SUCCEEDED
        self.succeeded: Counter[bytes] = Counter()
        self.may_have_run: set[bytes] = set()
        self.run_again: list[bytes] = []

    def _answer(self, _target: Target, payload: bytes) -> Reply:
        # Noted only: the stage takes any error for a defect of its own, and gives the message back.
        self.run_again += [payload] if payload in self.may_have_run else []
        if self.reply is UNKNOWN:
            self.may_have_run.add(payload)
        self.succeeded[payload] += self.reply is SUCCEEDED
        return self.reply

    @rule(
        payload=st.sampled_from(PAYLOADS),
        reply=st.sampled_from([THROTTLED, THROTTLED, FAILED, UNKNOWN]),
        useful_s=st.none() | st.integers(-5, 5000),
    )
    def a_call_is_captured(self, payload: bytes, reply: Reply, useful_s: int | None) -> None:
        pipeline = self.pipeline
        pipeline.clock.advance(0.001)
        not_after = None
        if useful_s is not None:
            not_after = format_instant(pipeline.clock.now + timedelta(seconds=useful_s))
        request = call(payload, key="order-1", not_after=not_after)
        pipeline.lines.clear()
        self.captures.append(pipeline.capturer().capture(request, reply.outcome))
        body = pipeline.store(f"captured/{len(self.captures)}.gz")
        self.objects.append(body)
        self.lines[body] = (payload, reply.outcome.kind)

    @rule(seconds=st.integers(1, 4000))
    def time_passes(self, seconds: int) -> None:
        self.pipeline.clock.advance(seconds)

    @rule(data=st.data(), comes_again=st.booleans())
    def an_object_is_unpacked(self, data: st.DataObject, *, comes_again: bool) -> None:
        if self.objects:
            body = data.draw(st.sampled_from(self.objects))
            self._unpack(body)
            if not comes_again:
                self.objects.remove(body)

    def _unpack(self, body: str) -> None:
        # No object stays folded: gates are another test's matter.
        self.pipeline.gate_items.images.clear()
        assert self.pipeline.take_in(body) == []
        self.messages += self.pipeline.take_sent()
        payload, outcome = self.lines[body]
        (first,) = [row for row in self.pipeline.ledger.rows.values() if "!" not in row.id]
        is_same = first.sha256 == digest(payload)
        if is_same and outcome is OutcomeKind.UNKNOWN and first.state is not State.SUCCEEDED:
            self.may_have_run.add(payload)

    @rule(data=st.data(), reply=replies, comes_again=st.booleans())
    def a_message_is_replayed(
        self, data: st.DataObject, reply: Reply, *, comes_again: bool
    ) -> None:
        if self.messages:
            self._replay(data.draw(st.sampled_from(self.messages)), reply, comes_again=comes_again)

    def _replay(self, message: OutMessage, reply: Reply, *, comes_again: bool = False) -> None:
        self.reply = reply
        self.pipeline.gate_items.images.clear()
        again = self.pipeline.replay(message)
        if not again and not comes_again:
            self.messages.remove(message)

    @invariant()
    def what_may_have_run_is_not_run_again(self) -> None:
        assert self.run_again == []

    @invariant()
    def one_key_has_one_success_a_payload(self) -> None:
        assert all(count <= 1 for count in self.succeeded.values())

    def teardown(self) -> None:
        if not hasattr(self, "pipeline"):
            return
        for body in self.objects:
            self._unpack(body)
        for _ in range(400):
            if not self.messages:
                break
            self.pipeline.clock.advance(60)
            for message in tuple(self.messages):
                self._replay(message, SUCCEEDED)
        assert not self.messages
        keys = self.pipeline.invoker_keys.keys()
        for captured in self.captures:
            token = read_status_token(captured.call_id, captured.status_token, keys)
            assert token is not None
            row = find_row(self.pipeline.ledger, captured.call_id, token)
            assert row is not None, "answered 202, and come to nothing"
            assert row.state in TERMINAL
        self.what_may_have_run_is_not_run_again()
        self.one_key_has_one_success_a_payload()
        letters = Counter((m.attributes or {})["call_id"] for m in self.pipeline.dead_letters.sent)
        dead = {row.id for row in self.pipeline.ledger.rows.values() if row.reason is not None}
        assert dead <= set(letters)


KeysMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
TestKeys = KeysMachine.TestCase
