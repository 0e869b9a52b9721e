"""What a target is configured with, remembered for a while: its policy in SSM, its concurrency in Lambda."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from reprise.aws.fault import store_errors
from reprise.call.destinations import Destinations, read_destinations
from reprise.call.reply_to import FIELD
from reprise.call.target_type import FUNCTION
from reprise.errors import BadRequestError, RepriseError, StoreError
from reprise.retry.policy import Policy, PolicyBook, read_policy_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_ssm import SSMClient

    from reprise.call.reply_to import ReplyTo

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

    def get(self, *, within_s: float | None = None) -> T:
        """Return the value, at most `ttl_s` old, or `within_s` if that is given, unless its source is away.

        Raises:
            RepriseError: What the source raised, if there is no earlier value.
        """
        oldest_s = self._ttl_s if within_s is None else within_s
        with self._lock:
            if self._value is not None and self._monotonic() - self._fetched_at_s < oldest_s:
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


def read_parameter(client: SSMClient, name: str) -> str:
    """Return what a parameter says.

    Raises:
        StoreError: If it is not there, or cannot be read.
    """
    with store_errors("ssm", "GetParameter"):
        return client.get_parameter(Name=name)["Parameter"]["Value"]


class ParameterPolicies:
    """Policies read from a parameter, remembered for a minute."""

    __slots__ = ("_cached", "_client", "_name")

    def __init__(
        self, client: SSMClient, name: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read this parameter."""
        self._client = client
        self._name = name
        self._cached = Cached(self._fetch, ttl_s=TTL_S, monotonic=monotonic)

    def policies(self, *, within_s: float | None = None) -> PolicyBook:
        """Return the policies in force; an invalid edit keeps the last valid document in force.

        They are a minute old at most, or `within_s` if that is given.
        """
        return self._cached.get(within_s=within_s)

    def _fetch(self) -> PolicyBook:
        return read_policy_document(read_parameter(self._client, self._name))


class CallersPolicies(ParameterPolicies):
    """The same for callers, who do without: policies that cannot be had say nothing, for a minute."""

    __slots__ = ("_has_read",)

    def __init__(
        self, client: SSMClient, name: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read this parameter."""
        super().__init__(client, name, monotonic)
        self._has_read = False

    def _fetch(self) -> PolicyBook:
        try:
            found = super()._fetch()
        except RepriseError as error:
            if self._has_read:
                raise
            # Remembered, or every call that fails would wait for a store that is away.
            reason = {"parameter": self._name, "reason": str(error)}
            _log.warning("policies cannot be read: what is captured is the default", extra=reason)
            return PolicyBook(Policy(), {})
        self._has_read = True
        return found


_NO_ADD_ON: Final = frozenset({"ParameterNotFound", "AccessDenied", "AccessDeniedException"})
"""What SSM says of a parameter that is not there, to those who may read it and to all others."""


def destinations_parameter(stack: str) -> str:
    """Return the name of the parameter in which the add-on replies says what it allows."""
    return f"/{stack}/replies"


class ParameterDestinations:
    """Where late results may go, read from a parameter, remembered for a minute: that it cannot be read, too.

    Callers wait for it before their calls run.
    """

    __slots__ = ("_cached", "_client", "_has_read", "_name")

    def __init__(
        self, client: SSMClient, name: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read this parameter."""
        self._client = client
        self._name = name
        self._has_read = False
        self._cached = Cached(self._fetch, ttl_s=TTL_S, monotonic=monotonic)

    def check(self, reply_to: ReplyTo) -> None:
        """Accept a place that the stack allows; while SSM is away any, since its add-on looks again.

        Raises:
            BadRequestError: If it does not allow it, or there is no add-on to deliver it.
        """
        found = self._cached.get()
        if isinstance(found, StoreError) and found.code in _NO_ADD_ON:
            # There may be one now.
            found = self._cached.get(within_s=0.0)
        if isinstance(found, Destinations):
            found.resolve(reply_to)
        elif found.code in _NO_ADD_ON:
            raise BadRequestError(
                FIELD,
                f"is not served here: parameter {self._name!r} is not there, or may not be read",
                "Deploy addons/replies, and allow ssm:GetParameter on it; or leave the field out",
            ) from found

    def _fetch(self) -> Destinations | StoreError:
        try:
            found = self._read()
        except StoreError as error:
            if self._has_read and error.code not in _NO_ADD_ON:
                raise
            self._has_read = False
            _log.warning("allowed destinations are not known", extra={"reason": str(error)})
            return error
        self._has_read = True
        return found

    def _read(self) -> Destinations:
        text = read_parameter(self._client, self._name)
        try:
            return read_destinations(text)
        except ValueError as error:
            raise StoreError("ssm", "GetParameter", "Malformed", str(error)) from error


BELIEVED_S: Final = 300.0
"""How long a limit is believed: whoever raises one in an outage waits for that. Lambda's control plane
takes few requests a second in all."""
UNKNOWN_S: Final = 60.0
"""The same for a limit that could not be had, or is 0 now."""


class FunctionConcurrency:
    """The limits of functions, by Lambda's own word."""

    __slots__ = ("_client", "_known", "_lock", "_managed", "_monotonic")

    def __init__(
        self, client: LambdaClient, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask through this client."""
        self._client = client
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, int | None]] = {}
        self._managed: dict[str, tuple[float, bool]] = {}
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

    def shares_cpus(self, function: str) -> bool:
        """Tell whether a function runs on a capacity provider, whose CPUs its calls share.

        Not if that is unknown: it may not be asked, or the target is of another type.

        Source: Lambda API reference, FunctionConfiguration, CapacityProviderConfig.
        """
        if FUNCTION.arn.fullmatch(function) is None:
            return False
        with self._lock:
            until_s, is_managed = self._managed.get(function, (float("-inf"), False))
            if self._monotonic() < until_s:
                return is_managed
            try:
                with store_errors("lambda", "GetFunctionConfiguration"):
                    found: Any = self._client.get_function_configuration(FunctionName=function)
            except StoreError as error:
                extra = {"target": function, "reason": str(error)}
                _log.warning("whether calls share CPUs is not known", extra=extra)
            else:
                is_managed = "CapacityProviderConfig" in found
            self._managed[function] = (self._monotonic() + BELIEVED_S, is_managed)
            return is_managed

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
