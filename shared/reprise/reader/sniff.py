"""Tell text from other things by its first bytes."""

from __future__ import annotations

import re
from typing import Final

_SAMPLE_BYTES: Final = 1024
_STRANGE: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_MOST_STRANGE: Final = 0.1
"""Text may be damaged; binary data is strange in half of its bytes."""
_FORMATS: Final = {
    b"PK\x03\x04": "a zip archive",
    b"\xff\x06\x00\x00sNaPpY": "snappy-framed data",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"PAR1": "a Parquet file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
}
"""What Firehose, or those who copy its objects, write besides gzip and text."""


def looks_like_text(data: bytes, *, after_members: bool) -> bool:
    """Tell whether bytes are to be read as text; after gzip members only JSON is."""
    if after_members or data.startswith(b"{"):
        return data.startswith(b"{")
    if name_format(data):
        return False
    sample = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
    return len(_STRANGE.findall(sample)) <= _MOST_STRANGE * len(sample)


def name_format(data: bytes) -> str | None:
    """Return what bytes are that are neither gzip nor text, if that is known."""
    for magic, name in _FORMATS.items():
        if data.startswith(magic):
            return f"{name}, which is not read"
    return None
