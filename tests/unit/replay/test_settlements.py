"""How ends of attempts share requests to the ledger, and that each is told as if it were alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Any

import pytest

from doubles import InMemoryLedger
from reprise.errors import StoreError
from reprise.ledger import LedgerEvent, State
from reprise.replay.settlements import MOST, Settlements
from strategies import NOW, NOW_MS, make_row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from reprise.ports import SettleRequest

OTHERS = 3


def nothing() -> None:
    """Do nothing before the first end is told."""


@dataclass(slots=True)
class Told(InMemoryLedger):
    """Notes what it is told alone and together, and lets something happen while it is told the first time."""

    meanwhile: Callable[[], None] = nothing
    alone: list[str] = field(default_factory=list)
    together: list[list[str]] = field(default_factory=list)

    def settle(self, call_id: str, **request: Any) -> bool:
        self.alone.append(call_id)
        meanwhile, self.meanwhile = self.meanwhile, nothing
        meanwhile()
        return InMemoryLedger.settle(self, call_id, **request)

    def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
        self.together.append(sorted(each.call_id for each in wanted))
        self.faults.check("settle_all")
        return frozenset(
            each.owner
            for each in wanted
            if self.rows[each.call_id].lease_owner == each.owner
            and InMemoryLedger.settle(
                self, each.call_id, owner=each.owner, event=each.event, changes=each.changes
            )
        )


class Rig:
    """Leased calls, whose ends are told while the first one's is under way."""

    def __init__(self, others: int = OTHERS, ledger: Told | None = None) -> None:
        self.ledger = ledger or Told()
        self.names = [f"orders:{number}" for number in range(others + 1)]
        for name in self.names:
            self.ledger.record(make_row(id=name))
            self.ledger.lease(name, owner=f"me/{name}", now=NOW, until_ms=NOW_MS + 60_000)
        self.waiting = Semaphore(0)
        self.settlements = Settlements(self.ledger, self._wait)

    def _wait(self, event: Event) -> None:
        self.waiting.release()
        event.wait()

    def settle(self, name: str) -> bool:
        return self.settlements.settle(
            name, owner=f"me/{name}", event=LedgerEvent.SUCCEED, changes={"attempts": 1}
        )

    def run(self) -> list[Future[bool]]:
        """Tell of the first end, and of all others while that is under way; return their answers."""
        answers: list[Future[bool]] = []
        with ThreadPoolExecutor(len(self.names)) as pool:

            def others() -> None:
                answers.extend(pool.submit(self.settle, name) for name in self.names[1:])
                for _ in self.names[1:]:
                    self.waiting.acquire()

            self.ledger.meanwhile = others
            first = pool.submit(self.settle, self.names[0])
            # Till then others are handed to the pool.
            first.exception()
        return [first, *answers]

    def states(self) -> set[State]:
        return {row.state for row in self.ledger.rows.values()}


def test_an_end_that_finds_nobody_telling_goes_alone_and_waits_for_nobody() -> None:
    rig = Rig(others=0)

    assert rig.settle(rig.names[0])

    assert (rig.ledger.alone, rig.ledger.together) == (rig.names, [])
    assert not rig.waiting.acquire(blocking=False)


def test_ends_that_come_while_one_is_told_go_together_in_the_next_request() -> None:
    rig = Rig()

    answers = rig.run()

    assert [answer.result() for answer in answers] == [True] * (OTHERS + 1)
    assert rig.ledger.alone == rig.names[:1]
    assert rig.ledger.together == [rig.names[1:]]
    assert rig.states() == {State.SUCCEEDED}


def test_more_than_a_request_takes_are_told_in_several() -> None:
    rig = Rig(others=2 * MOST)

    answers = rig.run()

    assert all(answer.result() for answer in answers)
    assert [len(each) for each in rig.ledger.together] == [MOST, MOST]
    assert rig.states() == {State.SUCCEEDED}


def test_end_that_was_not_told_with_the_others_is_told_alone_and_hears_why() -> None:
    rig = Rig()
    lost = rig.names[2]
    row = rig.ledger.rows[lost]
    rig.ledger.rows[lost] = make_row(id=row.id, state=State.LEASED, lease_owner="another")

    answers = rig.run()

    assert [answer.result() for answer in answers] == [name != lost for name in rig.names]
    assert rig.ledger.alone == [rig.names[0], lost]


def test_ends_whose_request_fails_whole_are_not_tried_again_alone_while_their_function_may_end() -> (
    None
):
    """The client has tried for most of a minute: each goes to the queue now, as an end of its own would."""
    rig = Rig()
    rig.ledger.faults.fail("settle_all")

    first, *others = rig.run()

    assert first.result()
    assert {type(answer.exception()) for answer in others} == {StoreError}
    assert rig.ledger.alone == rig.names[:1]
    # Nobody is left telling: the next one goes alone.
    assert all(rig.settle(name) for name in rig.names[1:])


def test_answer_that_cannot_be_read_leaves_no_end_untold() -> None:
    class Unreadable(Told):
        def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
            raise KeyError(len(wanted))

    rig = Rig(ledger=Unreadable())

    answers = rig.run()

    assert all(answer.result() for answer in answers)
    assert rig.states() == {State.SUCCEEDED}


def test_first_end_that_cannot_be_told_fails_alone_and_the_others_go_on() -> None:
    rig = Rig()
    rig.ledger.faults.fail("settle")

    first, *others = rig.run()

    with pytest.raises(StoreError):
        first.result()
    assert all(answer.result() for answer in others)
    # Nobody is left telling: the next one goes alone.
    assert rig.settle(rig.names[0])
