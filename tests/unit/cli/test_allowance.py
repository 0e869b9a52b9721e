"""What an account lets a function reserve, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.chaos.allowance import Allowance, check_allowance
from reprise_cli.exits import CommandError, ExitCode


@dataclass
class FakeLambda:
    """Lambda's account settings."""

    limit: int = 1000
    reserved_by_others: int = 0
    own: int | None = None
    is_denied: bool = False

    def get_function_concurrency(self, **_: object) -> dict[str, Any]:
        return {} if self.own is None else {"ReservedConcurrentExecutions": self.own}

    def get_account_settings(self) -> dict[str, Any]:
        if self.is_denied:
            error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(error, "GetAccountSettings")
        unreserved = self.limit - self.reserved_by_others - (self.own or 0)
        return {
            "AccountLimit": {
                "ConcurrentExecutions": self.limit,
                "UnreservedConcurrentExecutions": unreserved,
            }
        }


def check(account: FakeLambda, wanted: int | None) -> str:
    """Return what is said."""
    said: list[str] = []
    client: Any = account
    check_allowance(client, "orders", wanted, said.append)
    (line,) = said
    return line


@pytest.mark.parametrize(
    ("account", "reservable"),
    [
        (FakeLambda(), 900),
        (FakeLambda(reserved_by_others=50), 850),
        # What it has already is its own to have again.
        (FakeLambda(own=50), 900),
        (FakeLambda(limit=150), 50),
        (FakeLambda(limit=100), 0),
        # New accounts: AWS's refusal names their own limit as the least that stays.
        (FakeLambda(limit=50), 0),
        (FakeLambda(limit=10), 0),
    ],
    ids=["default", "others reserve", "its own", "small", "no more than the least", "50", "10"],
)
def test_what_a_function_may_reserve_is_said_before_a_test(
    account: FakeLambda, reservable: int
) -> None:
    assert f"orders may reserve {reservable}" in check(account, None)
    if reservable:
        check(account, reservable)
    with pytest.raises(CommandError, match=f"reserve {reservable}, not") as caught:
        check(account, reservable + 1)
    assert caught.value.field == "--restore-concurrency"
    assert caught.value.code is ExitCode.USAGE


def test_account_that_lets_nothing_be_reserved_names_the_quota_to_ask_for() -> None:
    assert check(FakeLambda(limit=10), None).startswith("this account runs 10 at once, 10 of them")
    with pytest.raises(CommandError) as caught:
        check(FakeLambda(limit=10), 10)
    assert caught.value.next_step.startswith("Ask for a higher quota: Service Quotas, AWS Lambda")


def test_account_that_may_not_be_read_stops_no_test() -> None:
    assert "is not known" in check(FakeLambda(is_denied=True), 10**6)


@given(
    limit=st.integers(1, 5000),
    others=st.integers(0, 5000),
    own=st.none() | st.integers(0, 5000),
)
def test_reserving_what_is_said_leaves_the_others_their_least_and_one_more_does_not(
    limit: int, others: int, own: int | None
) -> None:
    unreserved = max(0, limit - others - (own or 0))
    allowance = Allowance(limit=limit, unreserved=unreserved, own=own)
    left = unreserved + (own or 0) - allowance.reservable
    floor = min(100, limit)
    assert left >= floor or allowance.reservable == 0
    assert left - 1 < floor
