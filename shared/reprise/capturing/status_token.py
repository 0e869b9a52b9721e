"""Write and read status tokens: the secret by which a caller may ask for its captured call."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reprise.errors import BadRecordError
from reprise.instant import parse_instant

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.capturing.signature import MacKeys
    from reprise.ports import Keyring

_TOKEN: Final = re.compile(r"([0-9a-f]{16})\.([0-9]{1,17})\.([0-9a-f]{32})")
_PURPOSE: Final = b"reprise status token\n"
"""No canonical record begins so: a token is no line's MAC, nor the other way round."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusToken:
    """What a genuine token says of a capture.

    Given with the 202, bound to the call and its payload: `<16 hex of the payload's SHA-256>.<microseconds
    since the epoch of the capture>.<32 hex of an HMAC>`
    """

    sha256: str
    """The first 16 hex digits of the payload's digest."""
    captured_at: datetime


def write_status_token(call_id: str, sha256: str, captured_at: datetime, keys: MacKeys) -> str:
    """Return the token of a capture, by the current key.

    Args:
        call_id: The call's id.
        sha256: Hex digest of its payload.
        captured_at: When it was captured, aware.
        keys: Those of the source that captures.
    """
    said = _said(sha256, captured_at)
    return f"{said}.{keys.macs(_token_message(call_id, said))[0][:32]}"


def read_status_token(call_id: str, token: object, keys: MacKeys) -> StatusToken | None:
    """Return what a token says; None unless it is genuine, and this call's."""
    claimed = claimed_by(token)
    if claimed is None:
        return None
    said, _, mac = str(token).rpartition(".")
    message = _token_message(call_id, said)
    genuine = [hmac.compare_digest(mac, expected[:32]) for expected in keys.macs(message)]
    return claimed if any(genuine) else None


def token_digest(token: str) -> str:
    """Return what the ledger keeps of a token: who has read a row has no token."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def digest_of_token(record: Record, keyring: Keyring) -> str | None:
    """Return the digest of the token that a record's caller was given; None if its key is gone.

    By it whoever has no key of the record's source can tell that a token is genuine.

    Raises:
        StoreError: If the keys cannot be had now.
    """
    key_id = record.mac.key_id if record.mac is not None else ""
    said = _said(record.payload.sha256, parse_instant(record.captured_at))
    try:
        mac = keyring.find(key_id).mac_by(key_id, _token_message(record.id, said))
    except (BadRecordError, KeyError):
        return None
    return token_digest(f"{said}.{mac[:32]}")


def claimed_by(token: object) -> StatusToken | None:
    """Return what a token says, genuine or not; None if it is none."""
    match = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if match is None:
        return None
    # Seventeen digits of microseconds end in the year 5138.
    return StatusToken(sha256=match[1], captured_at=_EPOCH + int(match[2]) * _US)


def _said(sha256: str, captured_at: datetime) -> str:
    return f"{sha256[:16]}.{(captured_at - _EPOCH) // _US}"


def _token_message(call_id: str, said: str) -> bytes:
    return _PURPOSE + json.dumps([call_id, said]).encode()
