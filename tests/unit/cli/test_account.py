"""A full account: what fills it, who gives it back, and what it is said to keep."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reprise_cli.chaos.account import AccountHold, share_of
from reprise_cli.chaos.account_report import SHARE_IN_USE, AccountReport, lesson, report_table
from reprise_cli.chaos.allowance import Allowance
from reprise_cli.chaos.neighbours import ACCOUNT_FULL, Neighbours
from reprise_cli.chaos.percentile import spread
from reprise_cli.chaos.proof import Proof
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.output import Output


def throttle(reason: str) -> ClientError:
    error: Any = {
        "Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."},
        "Reason": reason,
    }
    return ClientError(error, "Invoke")


@dataclass
class FakeAccount:
    """Lambda and its account: so many at once, the others refused; answers come once they may."""

    room: int = 0
    reason: str = ACCOUNT_FULL
    reserved: int | None = None
    may_answer: threading.Event = field(default_factory=threading.Event)
    limited_to: int | None = None
    running: int = 0
    most: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # --- Lambda ---

    def invoke(self, **_: object) -> dict[str, Any]:
        with self._lock:
            if self.running >= self.room:
                raise throttle(self.reason)
            self.running += 1
            self.most = max(self.most, self.running)
        self.may_answer.wait(10)
        with self._lock:
            self.running -= 1
        return {"Payload": io.BytesIO(b"{}")}

    def get_function_concurrency(self, **_: object) -> dict[str, Any]:
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}

    def put_function_concurrency(self, **request: Any) -> None:
        assert self.limited_to is None, "a small account refuses a reservation"
        self.reserved = request["ReservedConcurrentExecutions"]

    def delete_function_concurrency(self, **_: object) -> None:
        self.reserved = None

    # --- the account ---

    def limit(self, concurrency: int, /) -> None:
        self.limited_to = concurrency

    def lift(self) -> None:
        self.limited_to = None


def neighbours_of(account: FakeAccount, limit_s: float = 10.0) -> Neighbours:
    client: Any = account
    return Neighbours(
        calls=client, function="orders", run="run-others", room=account.room, limit_s=limit_s
    )


def hold_of(account: FakeAccount, reserved: int | None) -> AccountHold:
    client: Any = account
    return AccountHold(
        functions=client,
        invoker="reprise-invoker",
        reserved=reserved,
        account=account,
        concurrency=10,
        neighbours=neighbours_of(account),
    )


def proof_of(refused: dict[str, int], *, captured: int = 0, lost: int = 0) -> Proof:
    return Proof(
        calls=sum(refused.values()) + captured,
        direct=0,
        captured=captured,
        succeeded=captured - lost,
        dead_lettered=0,
        lost=lost,
        executed_twice=0,
        restore_to_success_s=spread([]),
        wasted_replays=0,
        refused=refused,
    )


def test_neighbours_take_all_the_room_there_is() -> None:
    account = FakeAccount(room=3)
    with neighbours_of(account).filling():
        assert account.running == account.room
        account.may_answer.set()
    assert account.running == 0
    assert account.most == account.room


def test_account_that_does_not_get_full_is_an_error() -> None:
    account = FakeAccount(room=3)
    account.may_answer.set()
    neighbours = neighbours_of(account, limit_s=0.0)
    # One call beyond the room would fill it; there are two.
    account.room = 5
    with pytest.raises(CommandError, match="5 calls of orders at once"), neighbours.filling():
        pass


def test_target_that_is_refused_by_itself_does_not_count_as_a_full_account() -> None:
    account = FakeAccount(room=0, reason=SHARE_IN_USE)
    with pytest.raises(CommandError, match="Rate Exceeded"), neighbours_of(account, 0.2).filling():
        pass


@pytest.mark.parametrize("before", [None, 7])
@pytest.mark.parametrize("inside", [None, 5])
def test_held_account_is_given_back_as_it_was(before: int | None, inside: int | None) -> None:
    account = FakeAccount(reserved=before)
    with hold_of(account, inside).held():
        assert (account.reserved, account.limited_to) == (inside, 10)
    assert (account.reserved, account.limited_to) == (before, None)


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_account_is_given_back_whatever_happens(error: BaseException) -> None:
    account = FakeAccount(reserved=7)
    with pytest.raises(type(error)), hold_of(account, None).held():
        raise error
    assert (account.reserved, account.limited_to) == (7, None)


def allowance(limit: int, *, own: int | None = None, others: int = 0) -> Allowance:
    return Allowance(limit=limit, unreserved=limit - others - (own or 0), own=own)


def test_invoker_is_tried_with_the_room_that_it_has_or_with_half_of_the_account() -> None:
    assert share_of(allowance(1000), 10) == 5
    assert share_of(allowance(1000, own=3), 10) == 3
    assert share_of(allowance(1000, others=4), 10) == 5


@pytest.mark.parametrize(
    ("own", "others", "limit", "least"),
    [(10, 0, 10, 11), (3, 4, 7, 8), (None, 5, 10, 11)],
)
def test_account_without_room_for_the_others_is_refused_with_the_least_that_has_some(
    own: int | None, others: int, limit: int, least: int
) -> None:
    given = allowance(1000, own=own, others=others)
    with pytest.raises(CommandError, match=f"Name {least} or more") as caught:
        share_of(given, limit)
    assert caught.value.code is ExitCode.USAGE
    assert share_of(given, least) >= 1


def test_report_tells_refused_calls_from_captured_ones() -> None:
    report = AccountReport(
        limit=10,
        reserved=5,
        shared=proof_of({ACCOUNT_FULL: 40}),
        own=proof_of({SHARE_IN_USE: 3}, captured=37),
    )
    assert report.holds
    document = report.document()
    assert (document["account_limit"], document["invoker_reserved"]) == (10, 5)
    assert document["without_reservation"]["refused_at_the_invoker"] == {ACCOUNT_FULL: 40}
    assert document["with_reservation"]["refused_at_the_invoker"] == {SHARE_IN_USE: 3}
    assert "problems" not in document
    assert "40 without a reservation, 3 with 5" in lesson(report)
    assert "the reservation's own bound" in lesson(report)


def test_report_fits_eighty_columns() -> None:
    big = proof_of({ACCOUNT_FULL: 999_999, SHARE_IN_USE: 999_999}, captured=999_999)
    report = AccountReport(limit=100, reserved=50, shared=big, own=big)
    text = io.StringIO()
    people = Output(is_json=False, stdout=text).people
    people.width = 80
    people.print(report_table(report))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    # No cell is broken: a line for each row, the title, the head and three of the frame.
    assert len(lines) == report_table(report).row_count + 5
    assert "REFUSED, kept nowhere" in text.getvalue()


@pytest.mark.parametrize(
    ("shared", "words"),
    [
        (proof_of({ACCOUNT_FULL: 4}, captured=4, lost=1), ""),
        (proof_of({}), "shared: every call was answered: none met a full account"),
    ],
    ids=["lost", "nothing shown"],
)
def test_report_does_not_hold_if_one_test_does_not_or_shows_nothing(
    shared: Proof, words: str
) -> None:
    report = AccountReport(
        limit=10, reserved=5, shared=shared, own=proof_of({ACCOUNT_FULL: 1}, captured=4)
    )
    assert not report.holds
    assert words in "".join(report.problems)
