"""The answers of functions that report the failed items of a batch; no correction itself.

Source: Lambda Developer Guide, "Implementing partial batch responses", "Success and
failure conditions".
"""

from __future__ import annotations

from typing import Any


def failed_ids(answer: Any, ids: set[str]) -> set[str]:
    """Return the ids to keep: those named, or all when the answer is not understood.

    Nothing, an empty object, and an empty or null list mean success. A missing,
    empty or unknown itemIdentifier, or another shape, means that all failed.
    """
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict):
        return ids
    failures = answer.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return ids
    named = {item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures}
    if not named <= ids:
        return ids
    return {str(name) for name in named}
