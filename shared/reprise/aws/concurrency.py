"""How much concurrency a function has: asked seldom, and never in the way of a replay."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from reprise.aws.clients import store_errors
from reprise.call.target_type import FUNCTION
from reprise.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

_log = logging.getLogger(__name__)

BELIEVED_S: Final = 3600.0
"""How long a limit is believed; Lambda's control plane takes few requests a second in all."""
UNKNOWN_S: Final = 60.0
"""The same for a limit that could not be had, or is 0 now."""


class FunctionConcurrency:
    """The limits of functions, by Lambda's own word."""

    __slots__ = ("_client", "_known", "_lock", "_monotonic")

    def __init__(
        self, client: LambdaClient, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask through this client."""
        self._client = client
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, int | None]] = {}
        self._lock = Lock()

    def limit(self, function: str) -> int | None:
        """Return a function's reserved concurrency, or the account's unreserved; None if unknown.

        Targets of other types have none that Lambda knows of.
        """
        if FUNCTION.arn.fullmatch(function) is None:
            return None
        with self._lock:
            until_s, limit = self._known.get(function, (float("-inf"), None))
            if self._monotonic() < until_s:
                return limit
            try:
                limit = self._ask(function)
            except StoreError as error:
                # Without headroom the gate still learns from throttles.
                extra = {"target": function, "reason": str(error)}
                _log.warning("concurrency is not known", extra=extra)
                limit = None
            believed_s = BELIEVED_S if limit else UNKNOWN_S
            self._known[function] = (self._monotonic() + believed_s, limit)
            return limit

    def _ask(self, function: str) -> int | None:
        with store_errors("lambda", "GetFunctionConcurrency"):
            reserved: Any = self._client.get_function_concurrency(FunctionName=function)
        limit = reserved.get("ReservedConcurrentExecutions")
        if limit is not None:
            return int(limit)
        with store_errors("lambda", "GetAccountSettings"):
            settings: Any = self._client.get_account_settings()
        unreserved = settings.get("AccountLimit", {}).get("UnreservedConcurrentExecutions")
        return None if unreserved is None else int(unreserved)
