"""What the account lets a function reserve: read before a test changes any of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.aws.fault import store_errors
from reprise.errors import StoreError
from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

_LEAST_UNRESERVED: Final = 100
"""Lambda Developer Guide, "Configuring reserved concurrency": what stays for functions without a reservation.

An account that has less may reserve nothing: AWS's refusal names the account's own limit there.
"""
QUOTA: Final = "a higher quota: Service Quotas, AWS Lambda, Concurrent executions"
"""What to ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What GetAccountSettings and GetFunctionConcurrency say."""

    limit: int
    """Executions at once of all functions in the region."""
    unreserved: int
    """Those of them that no function has reserved."""
    own: int | None = None
    """What the function has reserved now; None if it shares the unreserved ones."""

    @property
    def reserved_by_others(self) -> int:
        """Return what other functions have reserved."""
        return self.limit - self.unreserved - (self.own or 0)

    @property
    def reservable(self) -> int:
        """Return how much the function may reserve."""
        floor = min(_LEAST_UNRESERVED, self.limit)
        return max(0, self.unreserved + (self.own or 0) - floor)


def read_allowance(client: LambdaClient, function: str) -> Allowance:
    """Return what the account allows a function.

    Raises:
        StoreError: If it cannot be read.
    """
    with store_errors("lambda", "GetFunctionConcurrency"):
        own = client.get_function_concurrency(FunctionName=function)
    with store_errors("lambda", "GetAccountSettings"):
        account = client.get_account_settings()["AccountLimit"]
    return Allowance(
        limit=account["ConcurrentExecutions"],
        unreserved=account["UnreservedConcurrentExecutions"],
        own=own.get("ReservedConcurrentExecutions"),
    )


def check_allowance(
    client: LambdaClient, function: str, wanted: int | None, tell: Callable[[str], None]
) -> None:
    """Say what the account allows, before anything is set.

    Raises:
        CommandError: If more is wanted than AWS would let the function have.
    """
    try:
        allowance = read_allowance(client, function)
    except StoreError as error:
        tell(f"what this account lets {function} reserve is not known: {error}")
        return
    tell(
        f"this account runs {allowance.limit:,} at once, {allowance.unreserved:,} of them unreserved: "
        f"{function} may reserve {allowance.reservable:,}"
    )
    if wanted is None or wanted <= allowance.reservable:
        return
    raise UsageError(
        "--restore-concurrency",
        f"this account lets {function} reserve {allowance.reservable}, not {wanted}: AWS keeps "
        f"{min(_LEAST_UNRESERVED, allowance.limit)} of its {allowance.limit} unreserved",
        f"Ask for {QUOTA}"
        if not allowance.reservable
        else f"Name {allowance.reservable} or fewer, or ask for {QUOTA}",
    )
