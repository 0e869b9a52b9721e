"""The keys of a stack's sources in Secrets Manager: one source's to sign with, all of them to verify with."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from reprise.aws.config import Cached
from reprise.aws.fault import store_errors
from reprise.capturing.signature import (
    LEGACY,
    PIPELINE,
    SOURCE_NAME,
    STACK_SOURCES,
    MacKeys,
    split_key_id,
)
from reprise.errors import BadRecordError, SettingsError, SourceDeniedError, StoreError
from reprise.settings import SOURCE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

_log = logging.getLogger(__name__)
TTL_S: Final = 60.0
DENIED: Final = frozenset({"AccessDeniedException", "DecryptionFailure"})
"""Codes of a secret that is there, and may not be read."""


def secret_name(stack: str, source: str) -> str:
    """Return the name of a source's secret."""
    return f"{stack}/mac" if source == LEGACY else f"{stack}{SOURCE_FOLDER}{source}"


class SecretKeys:
    """Keys read from one secret, remembered for a minute."""

    __slots__ = ("_cached", "_client", "_secret_id")

    def __init__(self, client: SecretsManagerClient, secret_id: str) -> None:
        """Read this secret, by ARN or name."""
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
        advice = (
            f"That is secret {self._secret_id}: set REPRISE_SOURCE to a source of `reprise sources list`, "
            "or make one with `reprise sources add`, which says what its role needs"
        )
        with store_errors("secretsmanager", "GetSecretValue", advice=advice):
            response = self._client.get_secret_value(SecretId=self._secret_id)
        _, folder, source = response["Name"].partition(SOURCE_FOLDER)
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


RELOAD_S: Final = 5.0
"""Age at which a document is read again for a key that it does not hold: after a rotation it is there."""
MAX_UNKNOWN: Final = 60
"""Names without a source that are looked up within `TTL_S`: forged lines may name thousands."""
_EXPECTED: Final = frozenset({*STACK_SOURCES, LEGACY})
"""Looked up however many unknown names there were: they are few."""
_GONE: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
"""There is no such secret, or it is being deleted."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a secret gave, and when."""

    found: MacKeys | BadRecordError
    at_s: float


class SecretKeyring:
    """The keys of every source of a stack, each learnt when it is first named; its own are the pipeline's.

    A source that cannot be believed stops no other: what it signed is refused, with the reason. Forged lines
    cost at most `MAX_UNKNOWN` requests a minute, and one in `RELOAD_S` for each source that there is.
    """

    __slots__ = ("_client", "_lock", "_monotonic", "_seen", "_stack", "_unknown_at_s")

    def __init__(
        self,
        client: SecretsManagerClient,
        stack: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read this stack's secrets."""
        self._client = client
        self._stack = stack
        self._monotonic = monotonic
        self._lock = Lock()
        self._seen: dict[str, _Seen] = {}
        self._unknown_at_s: deque[float] = deque()

    def keys(self) -> MacKeys:
        """Return the pipeline's own keys.

        Raises:
            StoreError: If they cannot be had.
            SettingsError: If their key document is refused.
        """
        with self._lock:
            found = self._get(PIPELINE, None)
        if isinstance(found, SourceDeniedError):
            # Not a message's fault: what cannot be signed must wait.
            raise StoreError("secretsmanager", "GetSecretValue", "AccessDenied", found.message)
        if isinstance(found, BadRecordError):
            raise SettingsError(found.message)
        return found

    def find(self, key_id: str) -> MacKeys:
        """Return the keys of the source that a key id names.

        Raises:
            BadRecordError: `bad_mac` if there is no such source, or its key document is refused.
            SourceDeniedError: The same, if its secret may not be read.
            StoreError: If Secrets Manager is away.
        """
        source, _ = split_key_id(key_id)
        if source != LEGACY and not SOURCE_NAME.fullmatch(source):
            raise BadRecordError("bad_mac", f"{source[:64]!r} is no source's name")
        with self._lock:
            found = self._get(source, key_id)
        if isinstance(found, BadRecordError):
            raise type(found)(found.reason, found.message) from found
        return found

    def _get(self, source: str, key_id: str | None) -> MacKeys | BadRecordError:
        """Return what is known of a source, looked up again when its time has come."""
        now_s, seen = self._monotonic(), self._seen.get(source)
        last = seen.found if seen is not None and isinstance(seen.found, MacKeys) else None
        if seen is not None:
            is_rotated = last is not None and key_id is not None and not last.holds(key_id)
            if now_s - seen.at_s < (RELOAD_S if is_rotated else TTL_S):
                return seen.found
        if last is None and source not in _EXPECTED and not self._may_look(now_s):
            return BadRecordError(
                "bad_mac", f"source {source!r} was not looked up: too many others are unknown"
            )
        found = self._fetch(source, last)
        if isinstance(found, BadRecordError):
            self._unknown_at_s.append(now_s)
            # As many are remembered as may be looked up, and no more.
            self._seen = {
                name: seen
                for name, seen in self._seen.items()
                if isinstance(seen.found, MacKeys) or now_s - seen.at_s < TTL_S
            }
        self._seen[source] = _Seen(found, now_s)
        return found

    def _may_look(self, now_s: float) -> bool:
        while self._unknown_at_s and now_s - self._unknown_at_s[0] >= TTL_S:
            self._unknown_at_s.popleft()
        return len(self._unknown_at_s) < MAX_UNKNOWN

    def _fetch(self, source: str, last: MacKeys | None) -> MacKeys | BadRecordError:
        """Ask Secrets Manager; while it does not answer, or refuses to, the last good document stays."""
        name = secret_name(self._stack, source)
        try:
            with store_errors("secretsmanager", "GetSecretValue"):
                response = self._client.get_secret_value(SecretId=name)
        except StoreError as error:
            if error.code in _GONE:
                return BadRecordError(
                    "bad_mac", f"there is no source {source!r}: no secret {name!r}"
                )
            if last is not None:
                _log.exception(
                    "keys cannot be read again: the last ones stay", extra={"source": source}
                )
                return last
            if error.code in DENIED:
                why = f"secret {name!r} may not be read: allow it, and its KMS key ({error.code})"
                return SourceDeniedError("bad_mac", why)
            raise
        try:
            return MacKeys.from_secret(response.get("SecretString", ""), source)
        except SettingsError as error:
            _log.exception("key document is refused", extra={"source": source})
            return BadRecordError("bad_mac", str(error))
