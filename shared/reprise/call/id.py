"""Name a call so that it can always be found again."""

from __future__ import annotations

import re
import uuid
from typing import Final

from reprise.errors import BadRequestError

_MAX_KEY_LENGTH: Final = 256
_KEY: Final = re.compile(r"[!-~]+")
RANDOM_BYTES: Final = 10
_MAX_UNIX_MS: Final = (1 << 48) - 1


def new_call_id(now_ms: int, random_bytes: bytes) -> str:
    """Return a UUIDv7 made of an instant and ten random bytes.

    Args:
        now_ms: Milliseconds since the epoch, below 2**48.
        random_bytes: Ten bytes from a good source, made by the caller.

    Raises:
        ValueError: If an argument is out of range.

    Source: RFC 9562, section 5.7.
    """
    if not 0 <= now_ms <= _MAX_UNIX_MS:
        msg = f"now_ms must be in [0, 2**48), got {now_ms}"
        raise ValueError(msg)
    if len(random_bytes) != RANDOM_BYTES:
        msg = f"random_bytes must be {RANDOM_BYTES} bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    value = (now_ms << 80) | int.from_bytes(random_bytes)
    value &= ~(0xF << 76) & ((1 << 128) - 1)
    value |= 0x7 << 76
    value &= ~(0x3 << 62)
    value |= 0x2 << 62
    return str(uuid.UUID(int=value))


def call_id_from_key(function_name: str, idempotency_key: str) -> str:
    """Return the id of a call whose caller named its effect.

    The key is scoped by function, because one order number names different effects in different
    functions (ADR 0003).

    Raises:
        BadRequestError: If the key is empty, over 256 characters or not printable ASCII.
    """
    if len(idempotency_key) > _MAX_KEY_LENGTH or not _KEY.fullmatch(idempotency_key):
        raise BadRequestError(
            "IdempotencyKey",
            "must be 1 to 256 printable ASCII characters without blanks",
            "Send a shorter key, for example a UUID or an order number",
        )
    return f"{function_name}:{idempotency_key}"
