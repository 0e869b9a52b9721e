"""Find gzip that travels as base64 inside text.

Three of AWS's own events carry envelopes so: Lambda's `awslogs.data`, and the `data` of Kinesis and
Firehose records (Lambda developer guide, "Using Lambda with CloudWatch Logs", "... with Kinesis"). So do the
objects below Firehose's error prefix, in `rawData` (Firehose developer guide, "Handle failure in data
transformation"). Anybody else's field of such a name is left alone.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from reprise.reader.envelope import JSON

GZIP_BASE64: Final = b"H4sI"
"""How base64 spells gzip's magic bytes."""
_GZIP: Final = GZIP_BASE64.decode()
_LINE: Final = re.compile(r"\s*(H4sI[A-Za-z0-9+/]*={0,2})\s*")


def unwrap(text: str) -> list[bytes]:
    """Return the data that a JSON object of AWS's or a line carries; mostly there is none."""
    if _GZIP not in text and '"rawData"' not in text:
        return []
    try:
        line = _LINE.fullmatch(text)
        packed = [line[1]] if line else _carried(JSON.decode(text))
        return [base64.b64decode(data, validate=True) for data in packed]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # No JSON, of another shape, or no base64.
        return []


def _carried(document: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Return the base64 in a document of a known shape; of other shapes nothing, or an error."""
    if "rawData" in document:
        return [document["rawData"]] if document["rawData"] and "errorCode" in document else []
    if "awslogs" in document:
        packed = [document["awslogs"]["data"]]
    elif "Records" in document:
        packed = [record["kinesis"]["data"] for record in document["Records"]]
    elif "records" in document:
        packed = [record["data"] for record in document["records"]]
    else:
        return []
    # Records that are no gzip are as whoever wrote them meant them, but go with those that are.
    return packed if any(data.startswith(_GZIP) for data in packed) else []
