"""The policies in SSM Parameter Store: edited without a deployment, remembered while it is away."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING, Final

from reprise.aws.clients import store_errors
from reprise.errors import RepriseError
from reprise.retry.policy import PolicyBook, read_policy_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient

_log = logging.getLogger(__name__)


class Cached[T]:
    """A value with an age; safe to use from several threads."""

    __slots__ = ("_fetch", "_fetched_at_s", "_lock", "_monotonic", "_ttl_s", "_value")

    def __init__(
        self,
        fetch: Callable[[], T],
        *,
        ttl_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Fetch at first use, and again when the value is older than `ttl_s`."""
        self._fetch = fetch
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._lock = Lock()
        self._fetched_at_s = float("-inf")
        self._value: T | None = None

    def get(self) -> T:
        """Return the value, at most `ttl_s` old unless its source is away.

        Raises:
            RepriseError: What the source raised, if there is no earlier value.
        """
        with self._lock:
            if self._value is not None and self._monotonic() - self._fetched_at_s < self._ttl_s:
                return self._value
            try:
                self._value = self._fetch()
            except RepriseError:
                if self._value is None:
                    raise
                _log.exception("value cannot be refreshed: the last good one is used")
            self._fetched_at_s = self._monotonic()
            return self._value


TTL_S: Final = 60.0


class ParameterPolicies:
    """Policies read from a parameter, remembered for a minute."""

    __slots__ = ("_cached", "_client", "_name")

    def __init__(self, client: Callable[[], SSMClient], name: str) -> None:
        """Read this parameter; the client is made at first use."""
        self._client = client
        self._name = name
        self._cached = Cached(self._fetch, ttl_s=TTL_S)

    def policies(self) -> PolicyBook:
        """Return the policies in force; an invalid edit keeps the last valid document in force."""
        return self._cached.get()

    def _fetch(self) -> PolicyBook:
        with store_errors("ssm", "GetParameter"):
            response = self._client().get_parameter(Name=self._name)
        return read_policy_document(response["Parameter"]["Value"])
