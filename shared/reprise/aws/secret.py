"""The MAC keys in Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.aws.cached import Cached
from reprise.aws.fault import store_errors
from reprise.record.mac import MacKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

TTL_S: Final = 60.0
"""A new key must be in the secret this long before it may be named current (docs: rotation)."""


class SecretKeys:
    """Keys read from a secret, remembered for a minute."""

    __slots__ = ("_cached", "_client", "_secret_arn")

    def __init__(self, client: Callable[[], SecretsManagerClient], secret_arn: str) -> None:
        """Read this secret; the client is made at first use."""
        self._client = client
        self._secret_arn = secret_arn
        self._cached = Cached(self._fetch, ttl_s=TTL_S)

    def keys(self) -> MacKeys:
        """Return the keys that are valid now."""
        return self._cached.get()

    def _fetch(self) -> MacKeys:
        with store_errors("secretsmanager", "GetSecretValue"):
            response = self._client().get_secret_value(SecretId=self._secret_arn)
        # A binary secret has no text: no document, and so the deployer's error.
        return MacKeys.from_secret(response.get("SecretString", ""))
