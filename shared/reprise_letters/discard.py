"""Throw dead letters away: the ledger says who and why before a letter goes.

The order is ledger, letter. A crash in between leaves a letter whose call is noted as discarded; the next run
notes the same and deletes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reprise.errors import StoreError
from reprise.ledger import State, identity_of
from reprise_letters.redrive import Action, RedriveResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.ledger import Row
    from reprise_letters.letter import Letter
    from reprise_letters.redrive import Letters


class NotedLedger(Protocol):
    """A ledger that takes notes."""

    def get(self, call_id: str) -> Row | None:
        """Return a row as it is now."""

    def discard(self, call_id: str, *, opened_at: str, note: str) -> bool:
        """Note why a dead-lettered call's letter was discarded; False if its row is another by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarder:
    """Throws letters away."""

    ledger: NotedLedger
    letters: Letters
    note: str
    """When, by whom and why."""

    def run(self, batch: Sequence[Letter]) -> list[RedriveResult]:
        """Throw a batch away; never raises for what a store or the ledger refuses."""
        results: list[RedriveResult] = []
        going: list[Letter] = []
        for letter in batch:
            try:
                refused = self._tell(letter)
            except StoreError as error:
                refused = RedriveResult(letter=letter, action=Action.FAILED, why=str(error))
            if refused is None:
                going.append(letter)
            else:
                results.append(refused)
        return results + self._delete(going)

    def _tell(self, letter: Letter) -> RedriveResult | None:
        """Tell the ledger; return why the letter must stay, if it must."""
        row = self.ledger.get(letter.id) if letter.record is not None else None
        # What the ledger knows otherwise is not that call's letter: only the audit names it.
        if letter.record is None or row is None or row.identity != identity_of(letter.record):
            return None
        if row.state is State.SUCCEEDED:
            return None
        is_noted = row.state is State.DEAD_LETTERED and self.ledger.discard(
            letter.id, opened_at=row.opened_at, note=self.note
        )
        if is_noted:
            return None
        # A redrive that was cut short may have left it: it can be all that carries the call.
        why = f"its call is {row.state.value}, and this may be all that carries it: redrive it, or wait"
        return RedriveResult(letter=letter, action=Action.REFUSED, why=why)

    def _delete(self, letters: Sequence[Letter]) -> list[RedriveResult]:
        if not letters:
            return []
        try:
            left = {letter.message_id for letter in self.letters.delete(letters)}
        except StoreError:
            left = {letter.message_id for letter in letters}
        return [
            RedriveResult(letter=letter, action=Action.FAILED, why="it could not be deleted")
            if letter.message_id in left
            else RedriveResult(letter=letter, action=Action.DISCARDED)
            for letter in letters
        ]
