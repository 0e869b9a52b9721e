"""The account's limit of concurrency: AWS's default, until somebody sets another.

``POST /_reprise/account {"limit": 10}`` lets ten executions run at once in each region; ``DELETE`` goes
back. On AWS that is a quota, and cannot fall below what is reserved; here whatever is reserved then
stays so, which lets a small machine fill an account that has a reservation.
"""

from __future__ import annotations

from typing import Any, Final

from local_engine.seams import Seam

DEFAULT_LIMIT: Final = 1000
"""Lambda Developer Guide, "Lambda quotas"."""
LIMIT_NAME: Final = "_ACCOUNT_CONCURRENCY_CAP"
"""Where ministack keeps it, and GetAccountSettings reads it."""
_LEAST_UNRESERVED: Final = 100
"""Lambda Developer Guide, "Configuring reserved concurrency for a function"."""
_LAMBDA_SVC = Seam("services.lambda_svc")


def unreserved_floor(limit: int) -> int:
    """Return how much must stay unreserved; in an account that has less than AWS's floor, all of it."""
    return min(_LEAST_UNRESERVED, limit)


def describe() -> dict[str, Any]:
    """Return the limit."""
    return {"limit": int(_LAMBDA_SVC[LIMIT_NAME])}


def set_limit(limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """Let so many executions run at once.

    Raises:
        ValueError: If it is no number above 0: ministack takes 0 for no limit.
    """
    if limit < 1:
        message = f"the account's limit must be 1 or more, not {limit}"
        raise ValueError(message)
    _LAMBDA_SVC.set(LIMIT_NAME, limit)
    return describe()
