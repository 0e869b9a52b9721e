"""Sign records and tell authentic ones from forged ones (HMAC-SHA-256, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from reprise.errors import BadRecordError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


class MacKeys:
    """The keys that are valid now: one to sign with, and all to verify with.

    During a rotation two keys are valid, so that lines already on their way stay authentic.
    """

    __slots__ = ("_current", "_keys")

    def __init__(self, current: str, keys: Mapping[str, str]) -> None:
        """Keep the id of the signing key and the keys by id.

        Raises:
            SettingsError: If the signing key is not among the keys, or a key is empty.
        """
        if not keys.get(current):
            msg = f"MAC secret names {current!r} as current key, but holds no such key"
            raise SettingsError(msg)
        self._current = current
        self._keys = dict(keys)

    @classmethod
    def from_secret(cls, text: str) -> MacKeys:
        """Read the secret's JSON: `{"current": "k1", "k1": "..."}`.

        Raises:
            SettingsError: If the text is not such a document.
        """
        try:
            document = json.loads(text)
            current = document.pop("current")
            # Text only: null or a number would be signed with as Python spells it.
            keys = {key_id: key.encode().decode() for key_id, key in document.items()}
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            msg = 'MAC secret must be JSON like {"current": "k1", "k1": "<key>"}'
            raise SettingsError(msg) from error
        return cls(str(current), keys)

    def sign(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with its `mac` set, by the current key."""
        return {
            **record,
            "mac": {"key_id": self._current, "value": self._mac(record, self._current)},
        }

    def verify(self, record: dict[str, Any]) -> None:
        """Accept an authentic record.

        Raises:
            BadRecordError: `bad_mac` if the record is unsigned, altered, or signed by no valid key.
        """
        mac = record.get("mac")
        if not isinstance(mac, dict):
            raise BadRecordError("bad_mac", "record carries no mac")
        key_id, value = mac.get("key_id"), mac.get("value")
        if not isinstance(key_id, str) or key_id not in self._keys:
            raise BadRecordError("bad_mac", "record is signed by a key that is not valid")
        try:
            expected = self._mac(record, key_id)
        except RecursionError as error:
            raise BadRecordError("bad_mac", "record is too deep to have been signed") from error
        if not isinstance(value, str) or not hmac.compare_digest(
            value.encode("utf-8", "replace"), expected.encode()
        ):
            raise BadRecordError("bad_mac", "record's mac does not match its content")

    def macs(self, message: bytes) -> list[str]:
        """Return the hex HMAC of a message by every valid key, the current key's first.

        The message must not begin with a brace, as records do.
        """
        key_ids = sorted(self._keys, key=lambda key_id: key_id != self._current)
        return [
            hmac.new(self._keys[key_id].encode(), message, hashlib.sha256).hexdigest()
            for key_id in key_ids
            if self._keys[key_id]
        ]

    def _mac(self, record: dict[str, Any], key_id: str) -> str:
        message = canonical({**record, "mac": {"key_id": key_id}})
        return hmac.new(self._keys[key_id].encode(), message, hashlib.sha256).hexdigest()


def canonical(record: dict[str, Any]) -> bytes:
    """Return one byte string for all spellings of the same JSON object.

    Keys sorted, no blanks, ASCII only: the order and escapes of a log tool do not matter.
    """
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
