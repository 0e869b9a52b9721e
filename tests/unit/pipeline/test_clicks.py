"""A client that clicks again and again, through a gateway that gives each request other bytes: one effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harness import THROTTLED, TRANSIENT, Pipeline, call
from reprise.capturing.open_calls import BELIEVED_FOR_MS
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from reprise.call.target import Target
    from reprise.ports import OutMessage, Reply

replies = st.sampled_from([SUCCEEDED, THROTTLED, THROTTLED, TRANSIENT])


class ClicksMachine(RuleBasedStateMachine):
    """Clicks in processes of their own, lines that come late and twice, and a replayer."""

    @initialize()
    def begin(self) -> None:
        self.pipeline = Pipeline()
        self.pipeline.functions.answer = self._answer
        self.objects: list[str] = []
        self.messages: list[OutMessage] = []
        self.reply: Reply = SUCCEEDED
        self.successes = 0
        self.clicks = 0
        self.is_owed = False

    def _answer(self, _target: Target, _payload: bytes) -> Reply:
        self.successes += self.reply is SUCCEEDED
        return self.reply

    @rule(reply=replies)
    def client_clicks(self, reply: Reply) -> None:
        if self.successes and not self.is_owed:
            # Nothing was kept of a client that has its answer, and does not click again.
            return
        self.reply = reply
        self.clicks += 1
        # As long as another process's capture may go unnoticed (docs/adr/0023).
        self.pipeline.clock.advance(BELIEVED_FOR_MS / 1000)
        self.pipeline.lines.clear()
        before = self.successes
        request = call(b'{"at":%d}' % self.clicks, key="order-1", key_covers_payload=True)
        answer = self.pipeline.caller().run(request)
        assert answer.refused is None, "no client is told that its key is taken"
        if answer.captured is not None:
            self.is_owed = True
        elif answer.late is None:
            assert self.successes == before + (reply is SUCCEEDED)
        if self.pipeline.lines:
            self.objects.append(self.pipeline.store(f"captured/{self.clicks}.gz"))

    @rule(data=st.data(), comes_again=st.booleans())
    def object_is_unpacked(self, data: st.DataObject, *, comes_again: bool) -> None:
        if self.objects:
            body = data.draw(st.sampled_from(self.objects))
            self._unpack(body)
            if not comes_again:
                self.objects.remove(body)

    def _unpack(self, body: str) -> None:
        assert self.pipeline.take_in(body) == []
        self.messages += self.pipeline.take_sent()

    @rule(data=st.data(), reply=replies, comes_again=st.booleans())
    def message_is_replayed(self, data: st.DataObject, reply: Reply, *, comes_again: bool) -> None:
        if self.messages:
            self._replay(data.draw(st.sampled_from(self.messages)), reply, comes_again=comes_again)

    def _replay(self, message: OutMessage, reply: Reply, *, comes_again: bool = False) -> None:
        self.reply = reply
        if not self.pipeline.replay(message) and not comes_again:
            self.messages.remove(message)

    @invariant()
    def effect_happens_once_at_most(self) -> None:
        assert self.successes <= 1

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
        self.effect_happens_once_at_most()
        assert self.successes == 1 or not self.is_owed


ClicksMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=20)
TestClicks = ClicksMachine.TestCase
