"""Keep the reply of a call that succeeded where its caller may ask for it later."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError

if TYPE_CHECKING:
    from reprise.ports import Objects, Reply

_log = logging.getLogger(__name__)

INLINE_RESULT_BYTES: Final = 2048
"""Late results up to this length stay in the ledger's row; longer ones go to S3."""


def keep_result(objects: Objects, call_id: str, reply: Reply) -> dict[str, str]:
    """Return what a row says of a late result; failing to keep it does not undo the success."""
    if len(reply.payload) <= INLINE_RESULT_BYTES:
        try:
            return {"result": reply.payload.decode()}
        except UnicodeDecodeError:
            pass
    try:
        return {"result_key": objects.put(result_key(call_id), reply.payload).key}
    except StoreError:
        _log.exception("late result could not be kept", extra={"call_id": call_id})
        return {}


def result_key(call_id: str) -> str:
    """Return where a long late result is kept in the stack's bucket."""
    return f"results/{call_id}"
