"""Sign what travels, and tell the authentic from the forged (HMAC-SHA-256, RFC 2104).

Every source has keys of its own, and a list of the targets that it may sign for. A key id names both source
and key, `<source>/<key>`; one without a source is of 0.1.0, which had one secret for all (docs/adr/0019).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.capturing.record import Mac
from reprise.errors import BadRecordError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.ports import Keyring

MIN_KEY_LENGTH: Final = 32
"""Characters. Source: RFC 2104, section 3: keys shorter than the hash (32 bytes) are discouraged."""
INVOKER: Final = "invoker"
PIPELINE: Final = "pipeline"
"""Signs what unpacker and replayer tell each other, and the records of failed batch jobs."""
OPERATOR: Final = "operator"
"""Signs payloads that an operator has replaced."""
SCHEDULES: Final = "schedules"
"""Signs scheduled calls; its secret comes with the add-on of that name."""
STACK_SOURCES: Final = (INVOKER, PIPELINE, OPERATOR, SCHEDULES)
"""Sources that come with a stack and its add-ons; all others are made by `reprise sources add`."""
LEGACY: Final = ""
"""The one source of 0.1.0."""
SOURCE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_KEY_NAME: Final = re.compile(r"[^/]{1,64}")
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


class MacKeys:
    """The keys of one source that are valid now: one to sign with, and all to verify with.

    During a rotation two keys are valid, so that what is already on its way stays authentic.
    """

    __slots__ = ("_current", "_keys", "source", "targets")

    def __init__(
        self,
        source: str,
        current: str,
        keys: Mapping[str, str],
        targets: tuple[str, ...] = (),
    ) -> None:
        """Keep a source's name, the name of its signing key, its keys by name, and its targets.

        Args:
            source: Who signs; `LEGACY` for the one secret of 0.1.0.
            current: Name of the signing key.
            keys: Every valid key, by name.
            targets: ARNs that it may sign for; one that ends in `*` stands for all that begin so, and `*`
                alone for all functions. The stack's own lists bound them.

        Raises:
            SettingsError: If the signing key is not among the keys, or a key is too short or badly named.
        """
        if current not in keys:
            msg = f"{_about(source)} names {current!r} as current key, but holds no such key"
            raise SettingsError(msg)
        for name, key in keys.items():
            if not _KEY_NAME.fullmatch(name):
                msg = (
                    f"{_about(source)}: key name {name!r} is not 1 to 64 characters without a slash"
                )
                raise SettingsError(msg)
            if len(key) < MIN_KEY_LENGTH:
                msg = (
                    f"{_about(source)}: key {name!r} has {len(key)} characters, and needs "
                    f"{MIN_KEY_LENGTH}: remove it, or make a longer one"
                )
                raise SettingsError(msg)
        self.source: Final = source
        self.targets: Final = targets
        self._current = current
        self._keys = dict(keys)

    @classmethod
    def from_secret(cls, text: str, source: str) -> MacKeys:
        """Read a source's key document: `{"current": "k1", "k1": "<key>", "targets": ["*"]}`.

        Raises:
            SettingsError: If the text is not such a document.
        """
        try:
            document = json.loads(text)
            current = msgspec.convert(document.pop("current"), str)
            # The one secret of 0.1.0 lists none, and signed for all.
            listed = document.pop("targets", [] if source else ["arn:*"])
            # Text only: null or a number would be signed with as Python spells it.
            keys = {name: key.encode().decode() for name, key in document.items()}
            targets = [entry.encode().decode() for entry in msgspec.convert(listed, list)]
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            example = '{"current": "k1", "k1": "<key>", "targets": ["<ARN>"]}'
            msg = f"{_about(source)} must be JSON like {example}"
            raise SettingsError(msg) from error
        return cls(source, current, keys, tuple(targets))

    def holds(self, key_id: str) -> bool:
        """Tell whether a key id names one of these keys."""
        source, name = split_key_id(key_id)
        return source == self.source and name in self._keys

    def sign(self, content: Mapping[str, Any], domain: str = "") -> Mac:
        """Return the MAC of content, by the current key.

        Args:
            content: A JSON object.
            domain: What kind of thing it is, so that none passes for one of another kind. Records have none,
                as in 0.1.0.
        """
        key_id = f"{self.source}/{self._current}" if self.source else self._current
        return Mac(key_id=key_id, value=self._value(content, key_id, domain))

    def verify(self, content: Mapping[str, Any], mac: Mac, domain: str = "") -> None:
        """Accept authentic content.

        Raises:
            BadRecordError: `bad_mac` if it is altered, or signed by no valid key of this source.
        """
        if not self.holds(mac.key_id):
            raise BadRecordError(
                "bad_mac", f"signed by {mac.key_id!r}, and {_about(self.source)} holds no such key"
            )
        expected = self._value(content, mac.key_id, domain)
        if not hmac.compare_digest(mac.value.encode("utf-8", "replace"), expected.encode()):
            raise BadRecordError("bad_mac", "the mac does not match the content")

    def macs(self, message: bytes) -> list[str]:
        """Return the hex HMAC of a message by every valid key, the current key's first.

        The message must not begin with a brace, as records do, nor with a domain's name.
        """
        names = sorted(self._keys, key=lambda name: name != self._current)
        return [
            hmac.new(self._keys[name].encode(), message, hashlib.sha256).hexdigest()
            for name in names
        ]

    def mac_by(self, key_id: str, message: bytes) -> str:
        """Return the hex HMAC of a message by one of these keys.

        Raises:
            KeyError: If it is none of them.
        """
        key = self._keys[split_key_id(key_id)[1]]
        return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()

    def _value(self, content: Mapping[str, Any], key_id: str, domain: str) -> str:
        message = domain.encode() + canonical({**content, "mac": {"key_id": key_id}})
        return self.mac_by(key_id, message)


def authenticate(
    content: Mapping[str, Any], mac: Mac | None, keyring: Keyring, domain: str = ""
) -> MacKeys:
    """Return the keys of who signed content.

    Raises:
        BadRecordError: `bad_mac` if it is unsigned, altered, or signed by no source that is known.
        StoreError: If the keys cannot be had now.
    """
    if mac is None:
        raise BadRecordError("bad_mac", "there is no mac")
    keys = keyring.find(mac.key_id)
    keys.verify(content, mac, domain)
    return keys


def authenticate_own(
    content: Mapping[str, Any], mac: Mac | None, keyring: Keyring, domain: str
) -> None:
    """Accept content that the pipeline itself signed.

    Raises:
        BadRecordError, StoreError: As `authenticate`; `bad_mac`, too, if another source signed it.
    """
    signer = authenticate(content, mac, keyring, domain)
    if signer.source != PIPELINE:
        raise BadRecordError("bad_mac", f"signed by source {signer.source!r}, not by the pipeline")


def split_key_id(key_id: str) -> tuple[str, str]:
    """Return source and key that a key id names; the source is `LEGACY` if it names none."""
    source, _, name = key_id.rpartition("/")
    return source, name


def canonical(content: Mapping[str, Any]) -> bytes:
    """Return one byte string for all spellings of the same JSON object.

    Keys sorted, no blanks, ASCII only: the order and escapes of a log tool do not matter. No domain's name
    begins as it does, with a brace.
    """
    return _ENCODE(content).encode()


def _about(source: str) -> str:
    return f"key document of source {source!r}" if source else "the MAC secret of 0.1.0"
