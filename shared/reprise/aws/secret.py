"""The keys that one source signs with: its own secret in Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.aws.cached import Cached
from reprise.aws.fault import store_errors
from reprise.errors import SettingsError
from reprise.record.mac import LEGACY, MacKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

TTL_S: Final = 60.0
DENIED: Final = frozenset({"AccessDeniedException", "DecryptionFailure"})
"""Codes of a secret that is there, and may not be read."""
_FOLDER: Final = "/source/"


def secret_name(stack: str, source: str) -> str:
    """Return the name of a source's secret."""
    return f"{stack}/mac" if source == LEGACY else f"{stack}{_FOLDER}{source}"


class SecretKeys:
    """Keys read from one secret, remembered for a minute."""

    __slots__ = ("_cached", "_client", "_secret_id")

    def __init__(self, client: Callable[[], SecretsManagerClient], secret_id: str) -> None:
        """Read this secret, by ARN or name; the client is made at first use."""
        self._client = client
        self._secret_id = secret_id
        self._cached = Cached(self._fetch, ttl_s=TTL_S)

    def keys(self) -> MacKeys:
        """Return the keys that are valid now; the last ones while Secrets Manager is away.

        Raises:
            StoreError: If they cannot be had.
            SettingsError: If the key document is refused: whoever verifies refuses it, too.
        """
        found = self._cached.get()
        if isinstance(found, SettingsError):
            raise SettingsError(str(found)) from found
        return found

    def _fetch(self) -> MacKeys | SettingsError:
        """Return the keys, or why there are none: remembered likewise, or every call would ask again."""
        with store_errors("secretsmanager", "GetSecretValue"):
            response = self._client().get_secret_value(SecretId=self._secret_id)
        _, folder, source = response["Name"].partition(_FOLDER)
        if not folder:
            return SettingsError(
                f"secret {response['Name']!r} is no source's: make one with `reprise sources add`, "
                "and name it in REPRISE_MAC_SECRET_ARN"
            )
        try:
            # A binary secret has no text: no document, and so the deployer's error.
            return MacKeys.from_secret(response.get("SecretString", ""), source)
        except SettingsError as error:
            return error
