"""The policies in SSM Parameter Store: edited without a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.aws.cached import Cached
from reprise.aws.fault import store_errors
from reprise.policy.policy import PolicyBook, read_policy_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient

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
