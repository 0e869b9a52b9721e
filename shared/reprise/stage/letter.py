"""Send the dead letter of a call whose row says that it was given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from reprise.dead_letter import dead_letter
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.events.herald import Herald
    from reprise.ledger.row import Row
    from reprise.ports import Ledger, Queue
    from reprise.record.record import Record

_log = logging.getLogger(__name__)


def send_letter(  # noqa: PLR0913 - what is told, and those who are told
    record: Record,
    row: Row,
    *,
    dead_letters: Queue,
    ledger: Ledger,
    herald: Herald,
    now: datetime,
    response: bytes = b"",
) -> None:
    """Send a dead letter, note that it is sent, and tell of it.

    Raises:
        StoreError: If the letter is not known to be sent: it must be sent again, and may then come twice.
    """
    letter = dead_letter(record, row, now=now, response=response)
    attributes = {"call_id": row.id, "reason": row.reason or "", "target": row.target}
    dead_letters.send([OutMessage(body=letter, attributes=attributes)])
    ledger.mark_letter_sent(row.id, opened_at=row.opened_at)
    herald.dead_lettered(record, row, now)
    about = {"call_id": row.id, "target": row.target, "reason": row.reason}
    _log.warning("call was given up", extra=about)
