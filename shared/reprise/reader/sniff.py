"""Tell text from other things by its first bytes."""

from __future__ import annotations

import re
from typing import Final

_SAMPLE_BYTES: Final = 1024
_STRANGE: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_MOST_STRANGE: Final = 0.1
"""Text may be damaged; binary data is strange in half of its bytes."""
_FORMATS: Final = {
    re.compile(pattern): name
    for pattern, name in (
        (rb"PK\x03\x04", "a zip archive"),
        (rb"\x82SNAPPY\x00", "snappy data"),
        (rb"\xff\x06\x00\x00sNaPpY", "snappy-framed data"),
        (rb"\x28\xb5\x2f\xfd", "zstd data"),
        (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "bzip2 data"),
        (rb"\xfd7zXZ", "xz data"),
        # Words begin like these two, but hold no control characters.
        (rb"PAR1[^\x00-\x1f]{0,4}+[\x00-\x08\x0e-\x1a]", "a Parquet file"),
        (rb"ORC[^\x00-\x1f]{0,8}+[\x00-\x08\x0e-\x1a]", "an ORC file"),
        (rb"Obj\x01", "an Avro file"),
    )
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
        if magic.match(data):
            return f"{name}, which is not read"
    return None
