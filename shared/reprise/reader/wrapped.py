"""Find gzip that travels as base64 inside text.

Three of AWS's own events carry envelopes so: Lambda's `awslogs.data`, and the `data` of Kinesis and
Firehose records (Lambda developer guide, "Using Lambda with CloudWatch Logs", "... with Kinesis").
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_GZIP_BASE64: Final = "H4sI"
"""How base64 spells gzip's magic bytes."""
_IN_JSON: Final = re.compile(r'"data"\s*:\s*"(H4sI[A-Za-z0-9+/]*={0,2})"')
_LINE: Final = re.compile(r"\s*(H4sI[A-Za-z0-9+/]*={0,2})\s*")


def unwrap(text: str) -> list[bytes]:
    """Return the gzip data that a JSON object or a line carries; mostly there is none."""
    if _GZIP_BASE64 not in text:
        return []
    line = _LINE.fullmatch(text)
    found = [line[1]] if line else _IN_JSON.findall(text)
    try:
        return [base64.b64decode(packed, validate=True) for packed in found]
    except binascii.Error:
        return []
