"""Keep the peak memory of `reprise read` down where glibc would let it grow.

glibc learns from freed buffers to take the next ones from its heap, where a buffer that grows is copied and
leaves a hole. With the threshold held fixed large buffers stay outside, grow in place, and go back at once
(mallopt(3), M_MMAP_THRESHOLD).
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_THRESHOLD_BYTES: Final = 512 * 1024


def keep_large_buffers_apart() -> None:
    """Hold the threshold fixed; on other C libraries do nothing."""
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
    except (OSError, AttributeError, TypeError):
        return
