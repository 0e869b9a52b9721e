"""Name a call so that it can always be found again."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from typing import TYPE_CHECKING, Final

from reprise.errors import BadRequestError

if TYPE_CHECKING:
    from reprise.call.target import Target

_NAME: Final = re.compile(r"[!-~]{1,256}")
_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TODAYS: Final = re.compile(r"~[0-9a-f]{32}(![0-9a-f]{16})?\Z")
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


def check_name(field: str, text: str) -> None:
    """Accept a key or a scope that a caller chose.

    Raises:
        BadRequestError: Naming the field, if the text is empty, over 256 characters or not printable
            ASCII.
    """
    if not is_name(text):
        raise BadRequestError(
            field,
            "must be 1 to 256 printable ASCII characters without blanks",
            "Send a shorter one, for example a UUID or an order number",
        )


def is_name(text: str) -> bool:
    """Tell whether a text may be a key or a scope."""
    return _NAME.fullmatch(text) is not None


def id_of(target: Target, *, source: str, scope: str | None, key: str) -> str:
    """Return the id of a call whose caller named its effect: `<function name>:<key>~<32 hex>`.

    The same id for the same target, qualifier (`$LATEST` is none), tenant, source, scope and key; another
    one if any of them differs, as far as SHA-256 tells texts apart. People find the call by the first
    part; the second keeps two callers from sharing a call by accident or on purpose
    (docs/adr/0018-a-call-is-named-by-all-that-makes-it.md).

    Args:
        target: The function, its qualifier and tenant.
        source: Name of the source that captures the call: `Record.source.name`.
        scope: The caller's own namespace of keys, if it gave one.
        key: Accepted by `is_name`.
    """
    whole = (
        target.function,
        target.qualifier or "$LATEST",
        target.tenant_id,
        source,
        scope,
        key,
    )
    # A JSON list: no two of these spell the same text.
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    # 128 bits: a caller chooses scope and tenant, and could search 64 bits for somebody else's id.
    return f"{target.name}:{key}~{digest[:32]}"


def conflict_id(call_id: str, sha256: str) -> str:
    """Return the id of a call whose key names another payload already.

    Args:
        call_id: The id that both would have.
        sha256: Hex digest of this call's own payload.
    """
    return f"{call_id}!{sha256[:16]}"


def is_id_without_key(call_id: str, function_name: str) -> bool:
    """Tell whether a call may have this id that says nothing of a key.

    A UUIDv7 may, and the id by which version 0.1.0 named a call with a key, `<function name>:<key>`, as
    long as it spells none of today's.
    """
    if _UUID7.fullmatch(call_id):
        return True
    name, colon, key = call_id.partition(":")
    is_old = bool(colon) and name == function_name and is_name(key)
    return is_old and _TODAYS.search(call_id) is None
