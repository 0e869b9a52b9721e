"""Bring dead letters back: a crash at any step loses nothing and runs nothing twice.

The order is ledger, queue, letter. Before the letter is deleted, the call is in the replay queue;
before it is there, the ledger lets it run. A crash in between leaves the letter, and the next
redrive does what is missing: the ledger suppresses a second message of the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from reprise.errors import StoreError
from reprise.ledger.states import State
from reprise.ports import OutMessage
from reprise_cli.dlq.letter import Letter, LetterKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.ports import Clock, Ledger, Queue


class Action(StrEnum):
    """What became of a letter."""

    REDRIVEN = "redriven"
    """It is in its queue again, and no longer here."""
    ENDED = "already_succeeded"
    """Its call has succeeded since: the letter was only deleted."""
    LINGERS = "redriven_but_still_here"
    """It is in its queue again; the letter could not be deleted, which is harmless."""
    FAILED = "failed"
    """It is still here, and nothing was lost."""
    SKIPPED = "skipped"
    """It cannot be read, or its key names another call: it was not touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one letter, and why."""

    letter: Letter
    action: Action
    why: str = ""


class Letters(Protocol):
    """Where letters are deleted."""

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete letters; return those that are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriver:
    """Brings letters back."""

    ledger: Ledger
    queue: Queue
    """The replay queue; for capture notices the capture queue."""
    letters: Letters
    clock: Clock

    def run(self, batch: Sequence[Letter]) -> list[Result]:
        """Bring a batch back; never raises for what a store refuses."""
        results: list[Result] = []
        going: dict[str, list[Letter]] = {}
        ended: list[Letter] = []
        for letter in batch:
            if not letter.is_redrivable:
                results.append(Result(letter=letter, action=Action.SKIPPED, why=letter.message))
                continue
            try:
                is_due = letter.id in going or self._open(letter)
            except StoreError as error:
                results.append(Result(letter=letter, action=Action.FAILED, why=str(error)))
                continue
            if is_due:
                # Two letters of one call need one message.
                going.setdefault(letter.id, []).append(letter)
            else:
                ended.append(letter)
        results += self._send(going)
        results += self._delete(ended, Action.ENDED)
        return results

    def _open(self, letter: Letter) -> bool:
        """Let the ledger allow a call to run again; False if it has succeeded."""
        if letter.kind is LetterKind.CAPTURE_NOTICE or letter.is_settlement:
            return True
        if self.ledger.redrive(letter.id, now=self.clock()):
            return True
        # Not dead-lettered: opened by an earlier redrive that did not get further, or on its way,
        # or its row has expired (the replayer makes a new one). Sending again is harmless.
        row = self.ledger.get(letter.id)
        return row is None or row.state is not State.SUCCEEDED

    def _send(self, going: dict[str, list[Letter]]) -> list[Result]:
        if not going:
            return []
        first = [letters[0] for letters in going.values()]
        sent = [letter for letters in going.values() for letter in letters]
        try:
            self.queue.send(
                [
                    OutMessage(body=letter.replay_body(), group=letter.target or None)
                    for letter in first
                ]
            )
        except StoreError as error:
            # Some may have been sent: they run once, and their letters wait for the next redrive.
            return [Result(letter=letter, action=Action.FAILED, why=str(error)) for letter in sent]
        return self._delete(sent, Action.REDRIVEN)

    def _delete(self, letters: Sequence[Letter], action: Action) -> list[Result]:
        try:
            left = {letter.message_id for letter in self.letters.delete(letters)}
        except StoreError:
            left = {letter.message_id for letter in letters}
        return [
            Result(
                letter=letter,
                action=Action.LINGERS if letter.message_id in left else action,
            )
            for letter in letters
        ]
