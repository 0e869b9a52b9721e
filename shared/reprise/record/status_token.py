"""The secret by which a caller may ask for its call: given with the 202, bound to the call and its payload.

`<16 hex of the payload's SHA-256>.<microseconds since the epoch of the capture>.<32 hex of an HMAC>`
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reprise.record.mac import MacKeys

_TOKEN: Final = re.compile(r"([0-9a-f]{16})\.([0-9]{1,17})\.([0-9a-f]{32})")
_PURPOSE: Final = b"reprise status token\n"
"""No canonical record begins so: a token is no line's MAC, nor the other way round."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusToken:
    """What a genuine token says of a capture."""

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
    said = f"{sha256[:16]}.{(captured_at - _EPOCH) // _US}"
    return f"{said}.{keys.macs(_message(call_id, said))[0][:32]}"


def read_status_token(call_id: str, token: object, keys: MacKeys) -> StatusToken | None:
    """Return what a token says; None unless it is genuine, and this call's."""
    match = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if match is None:
        return None
    sha256, captured_us, mac = match.groups()
    message = _message(call_id, f"{sha256}.{captured_us}")
    genuine = [hmac.compare_digest(mac, expected[:32]) for expected in keys.macs(message)]
    if not any(genuine):
        return None
    return StatusToken(sha256=sha256, captured_at=_EPOCH + int(captured_us) * _US)


def _message(call_id: str, said: str) -> bytes:
    return _PURPOSE + json.dumps([call_id, said]).encode()
