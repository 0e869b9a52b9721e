"""Find secrets that were planted, in whatever was written and however it is encoded."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BASE64_BYTES = 3


def forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as JSON, URLs, hex and base64 spell it, wherever it begins in them."""
    data = secret.encode()
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield data.hex()
    for offset in range(_BASE64_BYTES):
        packed = base64.b64encode(b"\0" * offset + data + b"\0" * _BASE64_BYTES).decode()
        # Without the characters that hold bits of what stands beside it.
        whole = packed[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]
        yield whole
        yield whole.replace("+", "-").replace("/", "_")


def holds(written: str, secrets: Iterable[str]) -> bool:
    """Tell whether a text holds one of these secrets in any form."""
    return any(form in written for secret in secrets for form in forms(secret))
