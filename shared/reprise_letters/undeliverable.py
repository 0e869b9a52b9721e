"""End calls whose messages SQS moved to the dead-letter queue by itself: whoever finds one tells the ledger.

SQS counts receives and days, and knows nothing of calls: such a call's row would stay open for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reprise.errors import BadRecordError
from reprise.instant import format_instant
from reprise.ledger import LedgerEvent, State, identity_of
from reprise.replay.message import read_authentic
from reprise.replay.runner import LEASE_EXPIRED
from reprise.retry.decision import Reason
from reprise_letters.letter import LetterKind

if TYPE_CHECKING:
    from reprise.ledger import Row
    from reprise.ports import Clock, Keyring, Ledger
    from reprise_letters.letter import Letter

_OWNER: Final = "operator/"
_LEASE_MS: Final = 60_000
_WHY: Final = (
    "SQS moved its message here: received too often, or too old, before the call had ended"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Ends what is found."""

    ledger: Ledger
    keys: Keyring
    clock: Clock
    name: str
    """Who finds; unique."""

    def settle(self, letter: Letter) -> Letter:
        """Give up a call that only its letter still carries; return the letter with what the ledger says now.

        A letter that is not authentic ends nothing, and neither does one whose call is being replayed.

        Raises:
            StoreError: If the keys or the ledger cannot be asked.
        """
        if letter.kind is not LetterKind.REPLAY_MESSAGE or letter.is_settlement:
            return letter
        try:
            record = read_authentic(letter.body, self.keys).record
        except BadRecordError:
            return letter
        now, owner = self.clock(), f"{_OWNER}{self.name}"
        lease = self.ledger.lease(
            record.id,
            owner=owner,
            now=now,
            until_ms=int(now.timestamp() * 1000) + _LEASE_MS,
            of=identity_of(record),
        )
        row = lease.before
        if row is not None and lease.granted:
            reason, why = _end_of(row)
            changes = {
                "reason": reason.value,
                "message": why,
                # The message is the letter.
                "letter_sent": True,
                "updated_at": format_instant(now),
            }
            self.ledger.settle(
                record.id, owner=owner, event=LedgerEvent.DEAD_LETTER, changes=changes
            )
            return replace(letter, reason=reason.value, message=why, attempts=row.attempts)
        if row is not None and row.state is State.DEAD_LETTERED:
            reason_now = row.reason or letter.reason
            return replace(
                letter, reason=reason_now, message=row.message or "", attempts=row.attempts
            )
        return letter


def _end_of(row: Row) -> tuple[Reason, str]:
    """Return why a call is given up: under the lease of a replayer that died, it may have run."""
    was_held = row.state is State.LEASED and not (row.lease_owner or "").startswith(_OWNER)
    if was_held or (row.state is State.LEASED and row.lease_from == State.LEASED.value):
        return Reason.UNKNOWN, f"{LEASE_EXPIRED.message}; {_WHY}"
    return Reason.UNDELIVERABLE, _WHY
