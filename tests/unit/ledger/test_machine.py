"""Any order of anybody's operations on one call keeps the ledger's promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from doubles import InMemoryLedger
from reprise.capturing.reopen import reopened
from reprise.instant import format_instant
from reprise.ledger import TERMINAL, LedgerEvent, State
from strategies import NOW, make_row

CALL = "orders:order-1"
owners = st.sampled_from(["a", "b", "c"])
ends = st.sampled_from([LedgerEvent.SUCCEED, LedgerEvent.WAIT, LedgerEvent.DEAD_LETTER])


class LedgerMachine(RuleBasedStateMachine):
    """Replayers that lease, settle, crash and come late; an operator who redrives; callers who call again."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = InMemoryLedger()
        self.now = NOW
        self.holder: str | None = None
        self.until_ms = 0
        self.ended: State | None = None
        self.may_have_run = False

    def _now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def _is_held(self) -> bool:
        return self.holder is not None and self.until_ms >= self._now_ms()

    @rule(seconds=st.integers(0, 90))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_unpacker_reads_the_object_again(self) -> None:
        before = self.ledger.get(CALL)
        assert self.ledger.record(make_row()) == before
        assert self.ledger.get(CALL) == (before or make_row())

    @rule(owner=owners, lease_s=st.integers(1, 60))
    def somebody_asks_for_a_lease(self, owner: str, lease_s: int) -> None:
        before = self.ledger.get(CALL)
        until_ms = self._now_ms() + lease_s * 1000
        lease = self.ledger.lease(CALL, owner=owner, now=self.now, until_ms=until_ms)
        is_anothers = self._is_held() and self.holder != owner
        if before is None or self.ended is not None or is_anothers:
            assert not lease.granted
        else:
            assert lease.granted
            is_repeated = self._is_held()
            self.holder = owner
            self.until_ms = self.until_ms if is_repeated else until_ms

    @rule(owner=owners, event=ends)
    def somebody_tells_an_end(self, owner: str, event: LedgerEvent) -> None:
        before = self.ledger.get(CALL)
        ours = self.ledger.settle(CALL, owner=owner, event=event, changes={})
        after = self.ledger.get(CALL)
        if self.holder != owner:
            assert before == after
            return
        assert ours
        assert after is not None
        self.holder = None
        self.ended = after.state if after.state in TERMINAL else None

    @precondition(lambda self: self.ended is State.DEAD_LETTERED)
    @rule()
    def an_operator_redrives(self) -> None:
        dead = self.ledger.get(CALL)
        assert dead is not None
        self.now += timedelta(milliseconds=1)
        assert not self.ledger.redrive(replace(dead, opened_at="another day"), now=self.now)
        assert self.ledger.redrive(dead, now=self.now)
        self.ended, self.may_have_run = None, False

    @precondition(lambda self: self.ended is State.DEAD_LETTERED)
    @rule()
    def a_later_capture_opens_it_again(self) -> None:
        dead = self.ledger.get(CALL)
        assert dead is not None
        self.now += timedelta(milliseconds=1)
        at = format_instant(self.now)
        after = reopened(dead, make_row(captured_at=at, opened_at=at, updated_at=at))
        assert self.ledger.recapture(dead, after)
        assert self.ledger.get(CALL) == after
        self.ended, self.may_have_run = None, after.may_have_run

    @rule()
    def a_capture_looks_at_a_row_that_goes_on(self) -> None:
        before = self.ledger.get(CALL)
        seen = replace(before or make_row(), state=State.DEAD_LETTERED, updated_at="long ago")
        assert not self.ledger.recapture(seen, make_row(opened_at="ever"))
        assert self.ledger.get(CALL) == before

    @rule()
    def another_try_of_it_may_have_run(self) -> None:
        is_due = self.ledger.get(CALL) is not None and self.ended is not State.SUCCEEDED
        assert self.ledger.mark_may_have_run(CALL) == is_due
        self.may_have_run = self.may_have_run or is_due

    @precondition(lambda self: self.ended is not State.DEAD_LETTERED)
    @rule()
    def a_redrive_of_a_call_that_is_not_dead_lettered_is_refused(self) -> None:
        before = self.ledger.get(CALL)
        self.now += timedelta(milliseconds=1)
        assert not self.ledger.redrive(before or make_row(), now=self.now)
        assert self.ledger.get(CALL) == before

    @invariant()
    def the_row_says_who_holds_it_or_how_it_ended(self) -> None:
        row = self.ledger.get(CALL)
        if row is None:
            return
        assert (row.state is State.LEASED) == (self.holder is not None)
        if self.holder is not None:
            assert row.lease_owner == self.holder
        assert (row.state if row.state in TERMINAL else None) == self.ended
        assert row.may_have_run == self.may_have_run


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLedger = LedgerMachine.TestCase
