"""Carry a caller's X-Ray trace to the replay, so that one trace shows both.

Source: X-Ray developer guide, "Tracing header"; Lambda developer guide, "Use Lambda recursive loop detection
to prevent infinite loops" (the header's Lineage is what counts a loop's hops).
"""

from __future__ import annotations

import re
from typing import Final

_FIELD: Final = re.compile(r"(Root|Parent|Sampled|Self)=([A-Za-z0-9:-]{1,64})")
_LINEAGE: Final = "Lineage="


def header_for_replay(recorded: str | None, own: str | None) -> str | None:
    """Return the trace header of a replay: the caller's trace, and the lineage of whoever replays.

    An old lineage would hide the hops since, and with them a loop through the target.

    Args:
        recorded: The header that the caller's own call had, if any.
        own: The header of the invocation that this process serves, if any.

    Returns:
        None if the caller's call was not traced, or its header names no trace.
    """
    kept = [part for part in _split(recorded) if _FIELD.fullmatch(part)]
    if not any(part.startswith("Root=") for part in kept):
        return None
    lineage = [part for part in _split(own) if part.startswith(_LINEAGE)]
    return ";".join([*kept, *lineage])


def _split(header: str | None) -> list[str]:
    return [part.strip() for part in (header or "").split(";")]
