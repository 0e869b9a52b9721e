"""Jobs at a dead-letter queue: what is planned, and that each letter has one turn whatever is killed."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles import FakeClock, FakeKeys, InMemoryLedger, InMemoryObjects, InMemoryQueue
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.dead_letter import dead_letter
from reprise.errors import StoreError
from reprise.instant import format_instant
from reprise.ledger import PastAttempt, State
from reprise.monitor.reconcile import Page
from reprise.replay.message import read_message
from reprise_letters.discard import Discarder
from reprise_letters.job import (
    LetterJob,
    LetterJobState,
    LetterOutcome,
    LetterVerb,
    Planned,
    canaries,
    first,
    groups,
    job_id,
    left_of,
    planned,
    signature,
)
from reprise_letters.job_store import LetterJobStore
from reprise_letters.letter import Letter, read_letter
from reprise_letters.pace import Pacer, parse_rate
from reprise_letters.redrive import Action, Redriver
from reprise_letters.run import LetterJobRun
from strategies import KEYS, NOW, PIPELINE_KEYS, make_record, signed
from unit.cli.test_letter import dead_row, received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

START = NOW + timedelta(days=1)


class Killed(BaseException):
    """The process is gone: nothing runs after it, but what leaves a queue in anybody's hands."""


@dataclass
class Tape:
    """Counts the calls to the world, and ends the process before one of them."""

    kill_at: int | None = None
    ends: type[BaseException] = Killed
    calls: int = 0

    def step(self) -> None:
        self.calls += 1
        if self.calls == self.kill_at:
            raise self.ends


@dataclass
class World:
    """Ledger, queues and bucket, whose every call may be the last."""

    tape: Tape = field(default_factory=Tape)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    letters: dict[str, Letter] = field(default_factory=dict)
    opened: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))
    waits_s: float = 0.0
    on_sleep: Callable[[], None] = lambda: None

    def give_up(self, call_id: str, **changes: Any) -> Letter:
        old = self.ledger.rows.get(call_id)
        row = replace(old or dead_row(id=call_id), state=State.DEAD_LETTERED, reason="exhausted")
        self.ledger.rows[call_id] = replace(row, letter_sent=True, **changes)
        body = dead_letter(signed(make_record(id=call_id)), self.ledger.rows[call_id], now=NOW)
        letter = read_letter(received(body, f"{call_id}/{len(self.letters)}/{self.opened}"))
        self.letters[letter.message_id] = letter
        return letter

    # --- the ledger, a step each ---

    def get(self, call_id: str) -> Any:
        self.tape.step()
        return self.ledger.get(call_id)

    def get_all(self, call_ids: Sequence[str]) -> Any:
        self.tape.step()
        return self.ledger.get_all(call_ids)

    def record(self, row: Any) -> Any:
        return self.ledger.record(row)

    def redrive(self, dead: Any, **said: Any) -> bool:
        self.tape.step()
        is_opened = self.ledger.redrive(dead, **said)
        self.opened[dead.id] += is_opened
        return is_opened

    def redrive_all(self, dead: Sequence[Any], **said: Any) -> Any:
        self.tape.step()
        opened = self.ledger.redrive_all(dead, **said)
        self.opened.update(opened)
        return opened

    def discard(self, call_id: str, **said: Any) -> bool:
        self.tape.step()
        return self.ledger.discard(call_id, **said)

    # --- the replay queue and the bucket ---

    def send(self, messages: Any) -> None:
        self.tape.step()
        self.queue.send(messages)

    def give_back(self, waits_s: Any) -> None:
        del waits_s

    def put(self, key: str, data: bytes) -> Any:
        self.tape.step()
        return self.objects.put(key, data)

    def page(self, prefix: str, after: str) -> Page:
        keys = [key for key in self.objects.kept if key.startswith(prefix) and key > after]
        return Page(modified_at_s=dict.fromkeys(keys, 0.0), is_last=True)

    @property
    def store(self) -> LetterJobStore:
        bucket = self.objects.bucket
        put = Putter(self)
        return LetterJobStore(objects=put, listing=self, bucket=bucket)

    def look(self) -> Look:
        return Look(self)

    def sleep(self, seconds: float) -> None:
        self.waits_s += seconds
        self.on_sleep()


@dataclass
class Putter:
    world: World

    def put(self, key: str, data: bytes) -> Any:
        return self.world.put(key, data)

    def get(self, claim_check: Any) -> bytes:
        return self.world.objects.get(claim_check)


@dataclass
class Look(AbstractContextManager["Look"]):
    """One look through the dead-letter queue."""

    world: World

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def letters(self) -> Iterator[list[Letter]]:
        for some in [list(self.world.letters.values())[i : i + 10] for i in range(0, 40, 10)]:
            self.world.tape.step()
            if some:
                yield some

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        for letter in letters:
            self.world.tape.step()
            self.world.letters.pop(letter.message_id, None)
        return []

    def renew(self) -> None: ...

    def count_hidden(self) -> int:
        return self.world.hidden


def make_job(
    letters: Sequence[Planned], *, canary: int = 0, verb: LetterVerb = LetterVerb.REDRIVE
) -> LetterJob:
    return LetterJob(
        id=job_id(START, b"\1\2"),
        verb=verb,
        queue="calls",
        by="arn:aws:iam::1:user/ann",
        why="the release is mended",
        started_at=format_instant(START),
        count=len(letters),
        canary=canary,
    )


def make_run(world: World, job: LetterJob) -> LetterJobRun:
    now = world.clock
    note = f"by {job.by}: {job.why} (job {job.id})"

    def handler(letters: Any) -> Any:
        if job.verb is LetterVerb.DISCARD:
            return Discarder(ledger=world, letters=letters, note=note)
        ledger: Any = world
        return Redriver(
            ledger=ledger,
            queue=world,
            letters=letters,
            keys=FakeKeys(PIPELINE_KEYS, (KEYS,)),
            clock=now,
            since=job.started_at,
        )

    return LetterJobRun(
        job=job,
        by=job.by,
        store=world.store,
        browse=world.look,
        handler=handler,
        prepare=list,
        rows=world,
        pacer=Pacer(rate_per_s=None, monotonic=lambda: world.waits_s, sleep=world.sleep),
        clock=now,
        monotonic=lambda: world.waits_s,
        sleep=world.sleep,
        outcomes=world.store.outcomes(job.id),
    )


def begun(world: World, count: int, **said: Any) -> tuple[LetterJob, list[Planned]]:
    letters = [planned(world.give_up(f"call-{number}")) for number in range(count)]
    job = make_job(letters, **said)
    world.store.begin(job, letters)
    world.tape.calls = 0
    return job, letters


# --- the plan ---


def test_the_errors_of_one_cause_are_alike() -> None:
    texts = [
        "KeyError: order 4711 of 0193a1b2-0000-7000-8000-000000000000 has no run",
        "KeyError:  order 12 of 0193a1b2-0000-7000-8000-00000000abcd has no run",
    ]
    assert {signature(text) for text in texts} == {"KeyError: order # of # has no run"}
    assert len(signature("x" * 500)) == 121


def test_a_refusal_by_iam_says_first_what_is_denied() -> None:
    text = (
        "AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/reprise-replayer/reprise "
        "is not authorized to perform: lambda:InvokeFunction on resource: orders"
    )
    denied = "AccessDeniedException: may not lambda:InvokeFunction on resource: orders"
    assert signature(text) == denied


def test_the_oldest_come_first_and_no_more_than_asked() -> None:
    letters = [Planned(id=f"{n}", message_id=f"m{n}", at=f"2026-11-{20 - n}") for n in range(5)]
    assert [letter.id for letter in first(letters, 2)] == ["4", "3"]
    assert len(first(letters, None)) == 5


def test_groups_are_counted_the_largest_first() -> None:
    letters = [
        Planned(id=f"{n}", message_id=f"m{n}", target="pay" if n else "orders", reason="exhausted")
        for n in range(3)
    ]
    assert groups(letters) == [(("pay", "exhausted", ""), 2), (("orders", "exhausted", ""), 1)]


def test_a_canary_has_some_of_every_group() -> None:
    targets = ["orders"] * 50 + ["pay"] * 3 + ["mail"]
    letters = [
        Planned(id=f"{n}", message_id=f"m{n}", target=target) for n, target in enumerate(targets)
    ]
    some = canaries(letters, 10)
    assert Counter(letter.target for letter in some) == {"orders": 6, "pay": 3, "mail": 1}
    assert canaries(letters, 100) == letters
    assert canaries([], 10) == []


def test_two_letters_of_one_call_are_one_canary() -> None:
    letters = [Planned(id="a", message_id="1"), Planned(id="a", message_id="2")]
    assert canaries([*letters, Planned(id="b", message_id="3")], 1) == letters


@given(st.lists(st.sampled_from(Action)))
def test_what_failed_is_left_and_what_had_its_turn_is_not(actions: list[Action]) -> None:
    letters = [Planned(id=f"{n}", message_id=f"m{n}") for n in range(len(actions))]
    outcomes = [
        LetterOutcome(id=f"{n}", message_id=f"m{n}", action=action, at="")
        for n, action in enumerate(actions)
    ]
    again = {Action.FAILED, Action.REFUSED, Action.SKIPPED, Action.MISSED}
    left = {letter.id for letter in left_of(letters, outcomes)}
    assert left == {f"{n}" for n, action in enumerate(actions) if action in again}


# --- the pace ---


@pytest.mark.parametrize(("text", "rate"), [("20/s", 20), ("30/m", 0.5), ("2", 2), ("0.5/s", 0.5)])
def test_a_rate_is_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "5/h", "fast", "1" * 40])
def test_what_is_no_rate_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="20/s"):
        parse_rate(text)


def test_letters_go_at_the_rate_and_are_held_on_to_meanwhile() -> None:
    now = [0.0]
    renewals: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pacer = Pacer(rate_per_s=0.1, monotonic=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pacer.wait(pacer.at_once, lambda: renewals.append(now[0]))
    assert (now[0], renewals) == (20.0, [5.0, 10.0, 15.0, 20.0])
    assert Pacer(rate_per_s=25.0, monotonic=lambda: 0.0, sleep=sleep).at_once == 10


# --- the run ---


def test_a_job_redrives_its_letters_and_no_others() -> None:
    world = World()
    job, letters = begun(world, 12)
    other = world.give_up("call-99")
    run = make_run(world, job)
    assert run.run(letters, has_canary=False) is LetterJobState.DONE
    assert run.counts() == {"redriven": 12}
    assert list(world.letters) == [other.message_id]
    assert world.opened == Counter({f"call-{n}": 1 for n in range(12)})
    last = world.store.last_segment(job.id)
    assert last is not None
    assert (last.state, last.counts) == (LetterJobState.DONE, {"redriven": 12})


def finish(world: World, job: LetterJob, letters: list[Planned]) -> LetterJobRun:
    """Go on with a job as a new process does."""
    world.tape.kill_at = None
    run = make_run(world, job)
    assert run.run(letters, has_canary=False) is LetterJobState.DONE
    return run


def dies_again(world: World) -> None:
    """Let every call that was sent fail at once; its letter comes back as another."""
    for message in world.queue.sent:
        call_id = read_message(message.body).record.id
        if world.ledger.rows[call_id].state is State.CAPTURED:
            world.give_up(call_id, attempts=3)


@settings(max_examples=150, deadline=None)
@given(
    kills=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    fails=st.booleans(),
    ends=st.sampled_from([Killed, KeyboardInterrupt]),
    count=st.integers(1, 23),
)
def test_each_letter_has_one_turn_and_none_is_lost_wherever_a_run_is_cut_short(
    kills: list[int], fails: bool, ends: type[BaseException], count: int
) -> None:
    world = World()
    job, letters = begun(world, count)
    for kill_at in kills:
        world.tape = Tape(kill_at=kill_at, ends=ends)
        try:
            make_run(world, job).run(letters, has_canary=False)
        except (Killed, KeyboardInterrupt):
            if fails:
                dies_again(world)
    world.clock.now += timedelta(minutes=5)
    run = finish(world, job, letters)
    assert max(world.opened.values()) == 1
    assert world.opened.keys() == {letter.id for letter in letters}
    sent = {read_message(message.body).record.id for message in world.queue.sent}
    assert sent == world.opened.keys()
    kept = {one.message_id: one.action for one in world.store.outcomes(job.id)}
    assert kept.keys() == {letter.message_id for letter in letters}
    assert run.counts() == Counter(action.value for action in kept.values())


@settings(max_examples=80, deadline=None)
@given(kill_at=st.integers(1, 60), count=st.integers(1, 12))
def test_a_discard_that_was_cut_short_is_finished_by_the_next_run(kill_at: int, count: int) -> None:
    world = World()
    job, letters = begun(world, count, verb=LetterVerb.DISCARD)
    world.tape = Tape(kill_at=kill_at)
    with suppress(Killed):
        make_run(world, job).run(letters, has_canary=False)
    run = finish(world, job, letters)
    assert run.counts() == {"discarded": count}
    assert world.letters == {}
    for row in world.ledger.rows.values():
        assert row.state is State.DEAD_LETTERED
        assert "ann: the release is mended" in (row.note or "")


def test_ctrl_c_keeps_what_was_done() -> None:
    world = World()
    job, letters = begun(world, 23)
    # A batch of ten takes three requests of the ledger and the queue, and one for each letter's deletion.
    world.tape = Tape(kill_at=20, ends=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        make_run(world, job).run(letters, has_canary=False)
    last = world.store.last_segment(job.id)
    assert last is not None
    assert (last.state, last.why, last.counts) == (
        LetterJobState.INTERRUPTED,
        "Ctrl-C",
        {"redriven": 10},
    )


def test_a_bucket_that_takes_nothing_stops_the_job() -> None:
    """What is not kept must not be done: who did it could not be told."""
    world = World()
    job, letters = begun(world, 3)
    world.objects.faults.fail("put", 9)
    with pytest.raises(StoreError):
        make_run(world, job).run(letters, has_canary=False)


def test_letters_in_somebody_s_hands_are_waited_for() -> None:
    world = World(hidden=1)
    job, letters = begun(world, 2)
    hidden = world.letters.pop(letters[0].message_id)

    def appear() -> None:
        world.letters[hidden.message_id] = hidden

    world.on_sleep = appear
    run = make_run(world, job)
    run.run(letters, has_canary=False)
    assert (run.counts(), world.waits_s) == ({"redriven": 2}, 5.0)


def test_what_stays_in_somebody_s_hands_is_missed_and_left_for_later() -> None:
    world = World(hidden=1)
    job, letters = begun(world, 2)
    world.letters.pop(letters[0].message_id)
    run = make_run(world, job)
    run.run(letters, has_canary=False)
    assert (run.counts(), world.waits_s) == ({"missed": 1, "redriven": 1}, 90.0)
    assert left_of(letters, run.outcomes) == [letters[0]]


# --- the canary ---


def ends_well(world: World) -> None:
    for call_id in world.opened:
        world.ledger.rows[call_id] = replace(world.ledger.rows[call_id], state=State.SUCCEEDED)


def test_the_rest_goes_once_the_canary_has_succeeded() -> None:
    world = World()
    job, letters = begun(world, 30, canary=10)
    seen: list[int] = []

    def end_well() -> None:
        seen.append(sum(world.opened.values()))
        ends_well(world)

    world.on_sleep = end_well
    run = make_run(world, job)
    assert run.run(letters, has_canary=True) is LetterJobState.DONE
    assert (seen, run.counts()) == ([10], {"redriven": 30})


def test_a_canary_that_is_given_up_again_keeps_the_rest_where_it_is() -> None:
    world = World()
    job, letters = begun(world, 30, canary=10)
    outcome = Outcome(kind=OutcomeKind.FUNCTION_ERROR, code="KeyError", message="'run'")
    history = (PastAttempt(at=format_instant(START), outcome=outcome),)

    def fail() -> None:
        ends_well(world)
        world.give_up("call-3", history=history)

    world.on_sleep = fail
    run = make_run(world, job)
    assert run.run(letters, has_canary=True) is LetterJobState.CANARY_FAILED
    assert run.why == "1 of 10 were given up again: call-3: exhausted: KeyError: 'run'"
    assert sum(world.opened.values()) == 10
    # The operator goes on without: the rest goes, and the canary not again.
    finish(world, job, letters)
    assert world.opened == Counter({f"call-{n}": 1 for n in range(30)})


def test_a_canary_that_does_not_end_keeps_the_rest_where_it_is() -> None:
    world = World()
    job, letters = begun(world, 30, canary=10)
    run = make_run(world, job)
    assert run.run(letters, has_canary=True) is LetterJobState.CANARY_OPEN
    assert "10 of 10 have not ended: call-" in run.why
    assert world.waits_s == 300.0


def test_a_canary_that_cannot_go_keeps_the_rest_where_it_is() -> None:
    world = World()
    job, letters = begun(world, 30, canary=2)
    world.queue.faults.fail("send", 1)
    run = make_run(world, job)
    assert run.run(letters, has_canary=True) is LetterJobState.CANARY_FAILED
    assert run.counts() == {"failed": 2}


# --- discarding ---


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (State.DEAD_LETTERED, Action.DISCARDED),
        (State.SUCCEEDED, Action.DISCARDED),
        (State.CAPTURED, Action.REFUSED),
        (State.WAITING, Action.REFUSED),
        (State.LEASED, Action.REFUSED),
    ],
)
def test_a_letter_that_may_be_all_that_carries_an_open_call_is_not_discarded(
    state: State, action: Action
) -> None:
    world = World()
    letter = world.give_up("call-1")
    world.ledger.rows["call-1"] = replace(world.ledger.rows["call-1"], state=state)
    (result,) = Discarder(ledger=world, letters=Look(world), note="n").run([letter])
    assert result.action is action
    assert bool(world.letters) == (action is Action.REFUSED)


def test_a_forged_letter_of_a_known_call_is_discarded_and_the_call_is_not_noted() -> None:
    world = World()
    world.give_up("call-1")
    forged = signed(make_record(id="call-1", target=make_record().target))
    row = replace(world.ledger.rows["call-1"], sha256="0" * 64)
    world.ledger.rows["call-1"] = row
    letter = read_letter(received(dead_letter(forged, row, now=NOW), "forged"))
    world.letters["forged"] = letter
    (result,) = Discarder(ledger=world, letters=Look(world), note="n").run([letter])
    assert (result.action, world.ledger.rows["call-1"].note) == (Action.DISCARDED, None)
