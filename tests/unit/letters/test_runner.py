"""Jobs that the stack runs: planned there, stopped and gone on with, and each letter with one turn."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles import FakeClock, FakeKeys, InMemoryQueue
from reprise.instant import format_instant
from reprise.ledger import State
from reprise.monitor.reconcile import Page
from reprise.ports import OutMessage
from reprise.replay.message import read_message
from reprise_letters.discard import Discarder
from reprise_letters.job import (
    LetterFilter,
    LetterJob,
    LetterJobState,
    LetterQueue,
    LetterVerb,
    Segment,
    job_id,
)
from reprise_letters.job_store import Cancel, Heartbeat, LetterJobStore
from reprise_letters.order import Order, read_order, write_order
from reprise_letters.pace import Pacer
from reprise_letters.redrive import Redriver
from reprise_letters.run import LetterJobRun
from reprise_letters.runner import RETRY_S, LetterJobRunner
from reprise_letters.supervisor import HEARTBEAT_EVERY_S, HEARTBEAT_S, HIDDEN_S, Delivery
from strategies import KEYS, PIPELINE_KEYS
from unit.cli.test_job import START, Killed, Look, Tape, World, dies_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reprise_letters.letter import Letter

FUNCTION_S = 900.0
REQUEST_S = 0.005
ANN, BOB = "arn:aws:iam::1:user/ann", "arn:aws:iam::1:user/bob"


@dataclass
class SlowTape(Tape):
    """A request takes its time."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(START))

    def step(self) -> None:
        self.clock.now += timedelta(seconds=REQUEST_S)
        super().step()


@dataclass
class WholeLook(Look):
    """A look that sees every letter, each once."""

    held: set[str] = field(default_factory=set)

    def letters(self) -> Iterator[list[Letter]]:
        names = [name for name in self.world.letters if name not in self.held]
        self.held |= set(names)
        for start in range(0, len(names), 10):
            self.world.tape.step()
            found = (self.world.letters.get(name) for name in names[start : start + 10])
            if some := [letter for letter in found if letter is not None]:
                yield some

    def count_hidden(self) -> int:
        return self.world.hidden


@dataclass
class Stack(World):
    """A world with the queue of orders, whose messages come again until they have served."""

    orders: InMemoryQueue = field(default_factory=InMemoryQueue)
    given_up: InMemoryQueue = field(default_factory=InMemoryQueue)
    rate_per_s: float | None = None
    runs: int = 0
    hidden_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tape = SlowTape(clock=self.clock)

    def kill_at(self, step: int | None) -> None:
        self.tape = SlowTape(clock=self.clock, kill_at=step)

    def monotonic(self) -> float:
        return (self.clock.now - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        # A clock of microseconds cannot sleep for less.
        self.clock.now += timedelta(seconds=max(seconds, 0.001))
        self.on_sleep()

    def page(self, prefix: str, after: str) -> Page:
        page = super().page(prefix, after)
        return Page(modified_at_s=dict(sorted(page.modified_at_s.items())), is_last=True)

    # --- the tools ---

    def browser(self, queue: LetterQueue) -> WholeLook:
        del queue
        return WholeLook(self)

    def settled(self, batch: Sequence[Letter]) -> list[Letter]:
        return list(batch)

    def run(self, job: LetterJob, *, by: str, store: Any, unverified: Any) -> LetterJobRun:
        world: Any = self

        def handler(letters: Any) -> Any:
            if job.verb is LetterVerb.DISCARD:
                return Discarder(ledger=world, letters=letters, note=f"{job.by}: {job.why}")
            return Redriver(
                ledger=world,
                queue=world,
                letters=letters,
                keys=FakeKeys(PIPELINE_KEYS, (KEYS,)),
                clock=self.clock,
                since=job.started_at,
                unverified=unverified,
            )

        self.rate_per_s = job.rate_per_s
        return LetterJobRun(
            job=job,
            by=by,
            store=store,
            browse=lambda: WholeLook(self),
            handler=handler,
            prepare=list,
            rows=world,
            pacer=Pacer(rate_per_s=job.rate_per_s, monotonic=self.monotonic, sleep=self.sleep),
            clock=self.clock,
            monotonic=self.monotonic,
            sleep=self.sleep,
        )

    # --- the function ---

    @property
    def runner(self) -> LetterJobRunner:
        tools: Any = self
        return LetterJobRunner(
            store=self.store,
            tools=tools,
            orders=self.orders,
            dead_letters=self.given_up,
            clock=self.clock,
            monotonic=self.monotonic,
            sleep=self.sleep,
        )

    def deliver(self, body: str, message_id: str = "m1") -> float | None:
        self.runs += 1
        until_s = self.monotonic() + FUNCTION_S
        delivery = Delivery(
            run=f"run-{self.runs}",
            message_id=message_id,
            remaining_ms=lambda: int((until_s - self.monotonic()) * 1000),
            hide=self.hidden_s.append,
        )
        return self.runner.run(body, delivery)

    def work_off(self) -> None:
        """Deliver orders until none is left; what must come again comes again."""
        while self.orders.sent:
            body = self.orders.sent.pop(0).body
            while (wait_s := self.deliver(body, f"m{self.runs}")) is not None:
                self.sleep(wait_s)

    def last(self, job: LetterJob) -> Any:
        return self.store.last_segment(job.id)


def make_job(**said: Any) -> LetterJob:
    return LetterJob(
        **{
            "id": job_id(START, b"\1\2\3"),
            "verb": LetterVerb.REDRIVE,
            "queue": "calls",
            "by": ANN,
            "why": "mended",
            "started_at": format_instant(START),
            "selection": LetterFilter(),
            **said,
        }
    )


def begun(count: int, *, is_agreed: bool = True, **said: Any) -> tuple[Stack, LetterJob]:
    stack, job = Stack(), make_job(**said)
    for number in range(count):
        stack.give_up(f"call-{number}")
    stack.store.announce(job)
    order = Order(job=job.id, by=job.by, is_agreed=is_agreed)
    stack.orders.sent.append(out(order))
    stack.kill_at(None)
    return stack, job


def out(order: Order) -> OutMessage:
    return OutMessage(body=write_order(order))


def prove(stack: Stack, job: LetterJob, count: int) -> None:
    """Each letter had one turn, none is lost, and the audit has every one."""
    names = {f"call-{number}" for number in range(count)}
    assert max(stack.opened.values()) == 1
    assert set(stack.opened) == names
    assert {read_message(message.body).record.id for message in stack.queue.sent} == names
    letters = {letter.message_id for letter in stack.store.letters(job.id)}
    kept = {one.message_id: one.action for one in stack.store.outcomes(job.id)}
    assert kept.keys() == letters
    assert len(letters) == count
    last = stack.last(job)
    assert (last.state, last.meant, last.by) == (LetterJobState.DONE, count, ANN)
    assert last.counts == Counter(action.value for action in kept.values())


# --- planned, then done ---


def test_the_stack_finds_the_letters_and_redrives_them() -> None:
    stack, job = begun(25)
    stack.work_off()
    prove(stack, job, 25)


def test_a_job_that_nobody_has_agreed_to_is_planned_and_touches_nothing() -> None:
    stack, job = begun(12, is_agreed=False)
    stack.work_off()
    last = stack.last(job)
    assert (last.state, last.meant, len(stack.letters)) == (LetterJobState.PLANNED, 12, 12)
    assert not stack.opened
    # What comes meanwhile is no part of the plan.
    late = stack.give_up("call-99")
    stack.orders.sent.append(out(Order(job=job.id, by=ANN, is_agreed=True)))
    stack.work_off()
    prove(stack, job, 12)
    assert list(stack.letters) == [late.message_id]


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (LetterFilter(reason="exhausted"), 5),
        (LetterFilter(reason="expired"), 0),
        (LetterFilter(target="orders"), 5),
        (LetterFilter(target="pay"), 0),
        (LetterFilter(error="3 ATTEMPTS"), 5),
        (LetterFilter(error="/^no such/"), 0),
        (LetterFilter(older_than_s=60), 5),
        (LetterFilter(newer_than_s=60), 0),
        (LetterFilter(max_count=2), 2),
    ],
)
def test_filters_are_the_commands(selection: LetterFilter, count: int) -> None:
    stack, job = begun(5, selection=selection, is_agreed=False)
    stack.work_off()
    assert len(stack.store.letters(job.id)) == count


def test_no_letter_is_a_job_that_is_done() -> None:
    stack, job = begun(0)
    stack.work_off()
    assert (stack.last(job).state, stack.last(job).meant) == (LetterJobState.DONE, 0)


def test_letters_that_a_killed_look_holds_are_waited_for() -> None:
    stack, job = begun(3, is_agreed=False)
    late = stack.letters.pop(next(iter(stack.letters)))
    stack.hidden = 3

    def appear() -> None:
        stack.letters[late.message_id], stack.hidden = late, 0

    stack.on_sleep = appear
    stack.work_off()
    assert len(stack.store.letters(job.id)) == 3


# --- cut short ---


@settings(max_examples=60, deadline=None)
@given(
    kills=st.lists(st.integers(1, 250), min_size=1, max_size=5),
    fails=st.booleans(),
    count=st.integers(1, 40),
)
def test_each_letter_has_one_turn_wherever_the_function_is_killed(
    kills: list[int], fails: bool, count: int
) -> None:
    stack, job = begun(count)
    kill_and_finish(stack, job, kills, fails=fails)
    prove(stack, job, count)


def kill_and_finish(stack: Stack, job: LetterJob, kills: list[int], *, fails: bool) -> None:
    """Kill the function after so many requests, again and again, and let it finish in the end."""
    body = stack.orders.sent.pop().body
    assert read_order(body).job == job.id
    for kill_at in kills:
        stack.kill_at(kill_at)
        with suppress(Killed):
            if stack.deliver(body) is None and not stack.orders.sent:
                break
        if stack.orders.sent:
            body = stack.orders.sent.pop().body
        if fails:
            dies_again(stack)
        # SQS delivers the message again once nobody hides it any more.
        stack.clock.now += timedelta(seconds=HIDDEN_S)
    stack.kill_at(None)
    stack.orders.sent.append(out(read_order(body)))
    stack.work_off()


@pytest.mark.slow
def test_a_hundred_thousand_letters_have_one_turn_each_in_a_function_that_is_killed_forty_times() -> (
    None
):
    count = 100_000
    stack, job = begun(count, canary=0)
    # While it looks for letters, which takes 10,000 requests, and all along the 50,000 after that.
    kills = [3_000, 12_000, *(1_000 + 10 * number for number in range(38))]
    kill_and_finish(stack, job, kills, fails=False)
    prove(stack, job, count)
    assert stack.runs > len(kills)


def test_a_run_orders_the_rest_before_its_function_ends() -> None:
    stack, job = begun(1500, rate_per_s=1.0, canary=0)
    stack.deliver(stack.orders.sent.pop().body)
    (rest,) = stack.orders.sent
    assert read_order(rest.body) == Order(job=job.id, by=ANN, is_agreed=True)
    done = sum(stack.last(job).counts.values())
    assert 830 <= done <= 845
    assert stack.monotonic() <= FUNCTION_S - 55
    stack.work_off()
    prove(stack, job, 1500)
    assert stack.rate_per_s == 1.0


def test_another_rate_is_that_of_the_rest_too() -> None:
    stack, job = begun(40, rate_per_s=1.0)
    order = Order(job=job.id, by=BOB, is_agreed=True, rate_per_s=0.02)
    stack.deliver(write_order(order))
    assert read_order(stack.orders.sent[-1].body) == order
    assert stack.last(job).by == BOB


# --- stopped ---


def cancel_after(stack: Stack, job: LetterJob, seconds: float) -> Callable[[], None]:
    cancel = Cancel(at=format_instant(START), by=BOB, why="wrong release")

    def on_sleep() -> None:
        if stack.monotonic() >= seconds and stack.store.cancelled(job.id) is None:
            stack.store.cancel(job.id, cancel)

    return on_sleep


def test_a_cancelled_job_stops_within_ten_seconds_and_says_by_whom() -> None:
    stack, job = begun(100, rate_per_s=0.05, canary=0)
    stack.on_sleep = cancel_after(stack, job, 60.0)
    stack.work_off()
    assert stack.monotonic() <= 60 + 5 + 10
    last = stack.last(job)
    assert (last.state, last.why) == (
        LetterJobState.CANCELLED,
        f"cancelled by {BOB}: wrong release",
    )
    done = sum(last.counts.values())
    assert 3 <= done <= 5

    # The same order again, as a second delivery is, stays stopped; a later one goes on.
    stack.deliver(write_order(Order(job=job.id, by=ANN, is_agreed=True)))
    assert (stack.last(job).state, sum(stack.opened.values())) == (LetterJobState.CANCELLED, done)
    assert stack.last(job).counts == last.counts
    cancel = stack.store.cancelled(job.id)
    assert cancel is not None
    order = Order(job=job.id, by=ANN, is_agreed=True, rate_per_s=50, past_cancel=cancel.at)
    stack.orders.sent.append(out(order))
    stack.work_off()
    prove(stack, job, 100)


def test_a_job_that_was_cancelled_before_it_began_looks_for_nothing() -> None:
    stack, job = begun(3)
    stack.store.cancel(job.id, Cancel(at=format_instant(START), by=BOB))
    stack.work_off()
    assert not stack.store.is_planned(job.id)
    assert stack.last(job).state is LetterJobState.CANCELLED


def test_a_canary_that_fails_ends_the_job_and_the_rest_goes_without() -> None:
    stack, job = begun(120, canary=None)
    stack.on_sleep = lambda: dies_again(stack)
    stack.work_off()
    assert (stack.last(job).state, sum(stack.opened.values())) == (
        LetterJobState.CANARY_FAILED,
        10,
    )
    stack.on_sleep = lambda: None
    stack.orders.sent.append(out(Order(job=job.id, by=ANN, is_agreed=True, has_canary=False)))
    stack.work_off()
    assert (stack.last(job).state, max(stack.opened.values())) == (LetterJobState.DONE, 1)


def test_a_canary_that_is_watched_across_two_runs_goes_only_once() -> None:
    stack, job = begun(120, canary=10, canary_wait_s=2000.0)

    def end_well() -> None:
        if stack.monotonic() > FUNCTION_S + 60:
            for call_id in stack.opened:
                row = stack.ledger.rows[call_id]
                stack.ledger.rows[call_id] = replace(row, state=State.SUCCEEDED)

    stack.on_sleep = end_well
    stack.work_off()
    assert stack.runs == 2
    prove(stack, job, 120)


# --- two at once ---


def test_a_second_delivery_steps_back_while_the_first_is_at_it() -> None:
    stack, job = begun(3)
    until = format_instant(START + timedelta(seconds=HEARTBEAT_S))
    stack.store.heartbeat(job.id, Heartbeat(run="run-0", message_id="m1", until=until, doing=""))
    body = stack.orders.sent[0].body
    assert stack.deliver(body, "m1") == RETRY_S, "the message is the first one's, too"
    assert stack.deliver(body, "m2") is None
    assert not stack.opened
    stack.clock.now += timedelta(seconds=HIDDEN_S)
    assert stack.deliver(body, "m1") is None
    prove(stack, job, 3)


@pytest.mark.parametrize(("message_id", "wait_s"), [("m2", None), ("m1", RETRY_S)])
def test_of_two_that_begin_at_once_one_goes_on_and_its_message_stays(
    message_id: str, wait_s: float | None
) -> None:
    """A second delivery of the same message that steps back does not take it from the run that goes on."""
    stack, job = begun(100, rate_per_s=0.1, canary=0)
    body = stack.orders.sent.pop().body

    def other_writes() -> None:
        stack.on_sleep = lambda: None
        until = format_instant(stack.clock.now + timedelta(hours=1))
        stack.store.heartbeat(
            job.id, Heartbeat(run="other", message_id=message_id, until=until, doing="")
        )

    stack.on_sleep = other_writes
    assert stack.deliver(body, "m1") == wait_s
    assert (stack.orders.sent, stack.monotonic() < 60) == ([], True)
    heartbeat = stack.store.last_heartbeat(job.id)
    assert heartbeat is not None
    assert heartbeat.run == "other"


def test_a_run_that_reads_what_it_did_for_minutes_keeps_its_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, job = begun(3)
    for number in range(60):
        at = format_instant(START + timedelta(microseconds=number))
        stack.store.add(
            job.id, Segment(at=at, by=ANN, state=LetterJobState.OPEN, counts={}, meant=3)
        )
    read = LetterJobStore._segment  # noqa: SLF001 - one request for one piece

    def read_slowly(store: LetterJobStore, key: str) -> Segment:
        stack.clock.now += timedelta(seconds=2)
        return read(store, key)

    monkeypatch.setattr(LetterJobStore, "_segment", read_slowly)
    stack.deliver(stack.orders.sent.pop().body, "m1")
    assert len(stack.hidden_s) >= 60 * 2 / HEARTBEAT_EVERY_S
    prove(stack, job, 3)


def test_a_run_that_has_ended_lets_the_next_begin_at_once() -> None:
    stack, job = begun(3)
    stack.deliver(stack.orders.sent.pop().body, "m1")
    assert stack.deliver(write_order(Order(job=job.id, by=ANN)), "m2") is None
    assert stack.runs == 2
    assert set(stack.hidden_s) == {HIDDEN_S}


# --- what nobody can carry out ---


def test_a_store_that_is_away_is_tried_again_and_the_job_says_so() -> None:
    stack, job = begun(3)
    stack.queue.faults.fail("send", 99)
    stack.ledger.faults.fail("redrive_all")
    stack.ledger.faults.fail("redrive", 3)
    assert stack.deliver(stack.orders.sent[0].body) is None
    assert stack.last(job).counts == {"failed": 3}
    stack.queue.faults = type(stack.queue.faults)()
    stack.work_off()
    prove(stack, job, 3)


def test_letters_that_all_fail_stop_the_job_and_it_comes_again() -> None:
    stack, job = begun(80, canary=0)
    stack.ledger.faults.fail("redrive_all", 60)
    stack.ledger.faults.fail("redrive", 60)
    body = stack.orders.sent.pop().body
    assert stack.deliver(body) == RETRY_S
    last = stack.last(job)
    assert (last.state, last.counts) == (LetterJobState.INTERRUPTED, {"failed": 50})
    assert "50 letters in a row failed: fake.redrive failed" in last.why
    stack.ledger.faults = type(stack.ledger.faults)()
    assert stack.deliver(body) is None
    prove(stack, job, 80)


def test_a_bucket_that_refuses_for_a_while_is_tried_again() -> None:
    stack, job = begun(3)
    stack.objects.faults.fail("put", 1)
    body = stack.orders.sent.pop().body
    assert stack.deliver(body) == RETRY_S
    assert "fake.put failed" in stack.last(job).why
    assert stack.deliver(body) is None
    prove(stack, job, 3)


@pytest.mark.parametrize("said", [{"selection": None}, {"selection": LetterFilter(error="/[/")}])
def test_a_job_that_can_never_be_done_fails_with_its_reason_and_alarms(said: Any) -> None:
    stack, job = begun(3, **said)
    stack.work_off()
    last = stack.last(job)
    assert last.state is LetterJobState.FAILED
    (letter,) = stack.given_up.sent
    assert letter.attributes == {"reason": last.why}


@pytest.mark.parametrize("body", ["?", "{}", '{"job": "../x", "by": ""}'])
def test_what_is_no_order_alarms(body: str) -> None:
    stack = Stack()
    assert stack.deliver(body) is None
    assert [message.body for message in stack.given_up.sent] == [body]


def test_an_order_for_no_job_alarms() -> None:
    stack = Stack()
    stack.deliver(write_order(Order(job="20261130T000000Z-0a", by=ANN)))
    (letter,) = stack.given_up.sent
    assert "there is no job" in (letter.attributes or {})["reason"]


@given(
    st.builds(
        Order,
        job=st.just("20261130T000000Z-0a"),
        by=st.text(),
        is_agreed=st.booleans(),
        has_canary=st.booleans(),
        rate_per_s=st.none() | st.floats(0.01, 100),
        past_cancel=st.none() | st.text(),
    )
)
def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    assert read_order(write_order(order)) == order
