"""Bring dead letters back: a crash at any step loses nothing and runs nothing twice.

The order is ledger, queue, letter. Before the letter is deleted, the call is in the replay queue;
before it is there, the ledger lets it run. A crash in between leaves the letter, and the next
redrive does what is missing: the ledger suppresses a second message of the same call.

A letter is believed only as far as its record is signed: whoever may write to the queue cannot have anything
invoked by having it redriven.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from reprise.capturing.line import check_record
from reprise.errors import BadRecordError, SourceDeniedError, StoreError
from reprise.instant import format_instant
from reprise.ledger import REDRIVE_KEEPS_S, State, identity_of, new_row
from reprise.ports import OutMessage
from reprise.replay.message import ReplayMessage, read_authentic, write_message
from reprise_letters.letter import Letter, LetterKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise.capturing.record import Record
    from reprise.ledger import Row
    from reprise.ports import Clock, Keyring, Ledger, Queue


class Action(StrEnum):
    """What became of a letter."""

    REDRIVEN = "redriven"
    """It is in its queue again, and no longer here."""
    ENDED = "already_succeeded"
    """Its call has succeeded since: the letter was only deleted."""
    LINGERS = "redriven_but_still_here"
    """It is in its queue again; the letter could not be deleted, which is harmless."""
    OPENED_SINCE = "opened_since"
    """Its call was opened since this job began, and was given up again: it stays, having had its turn."""
    TAKEN_IN = "taken_in"
    """The ledger did not know its call: the capture object is read again."""
    CANCELLED = "cancelled"
    """Of a call that waited: it is not replayed, and the ledger says why."""
    DISCARDED = "discarded"
    """It is gone, and the ledger says why; its call is not replayed."""
    MISSED = "missed"
    """It was not seen any more: somebody else has it in hand, or has taken it."""
    FAILED = "failed"
    """It is still here, and nothing was lost."""
    REFUSED = "refused"
    """It is not what its source signed, or not the ledger's call: it is still here."""
    SKIPPED = "skipped"
    """It cannot be read, or its key names another call: it was not touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveResult:
    """What became of one letter, and why."""

    letter: Letter
    action: Action
    why: str = ""


class Letters(Protocol):
    """Where letters are deleted."""

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete letters; return those that are still there."""


class _HadItsTurnError(Exception):
    """A call was opened since the job began."""


@dataclass(slots=True, kw_only=True)
class _Going:
    """One message to send, and the letters that it serves."""

    body: str
    letters: list[Letter]
    dead: Row | None
    """The row of its call, if that is to be opened yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriver:
    """Brings letters back."""

    ledger: Ledger
    queue: Queue
    """The replay queue; for capture notices the capture queue."""
    letters: Letters
    keys: Keyring
    clock: Clock
    edit: Callable[[Record], Record] | None = None
    """Replaces payloads; the letters are then all of one call."""
    since: str | None = None
    """When the job began: a call that was opened since, and was given up again, is not opened once more."""
    unverified: list[Letter] = field(default_factory=list)
    """Letters whose keys may not be read here; the replayer verifies them before it invokes."""

    def dry_run(self, letters: Sequence[Letter]) -> list[RedriveResult]:
        """Return what `run` would make of letters now; nothing is opened, sent or deleted."""
        rows = self._rows(letters)
        return [self._dry_run_one(letter, rows) for letter in letters]

    def _dry_run_one(self, letter: Letter, rows: dict[str, Row | None]) -> RedriveResult:
        if not letter.is_redrivable:
            return _skipped(letter)
        try:
            is_verified = self._verify(letter)
            action = Action.REDRIVEN
            if letter.record is not None and not letter.is_settlement:
                _, row = self._look(letter, letter.record, rows, is_verified=is_verified)
                has_succeeded = row is not None and row.state is State.SUCCEEDED
                action = Action.ENDED if has_succeeded else Action.REDRIVEN
        except (BadRecordError, StoreError) as error:
            return _turned_down(letter, error)
        return RedriveResult(letter=letter, action=action)

    def run(self, batch: Sequence[Letter]) -> list[RedriveResult]:
        """Bring a batch back; never raises for what a store or a letter refuses."""
        results: list[RedriveResult] = []
        # Two letters of one call need one message.
        going: dict[tuple[str, str], _Going] = {}
        ended: list[Letter] = []
        rows = self._rows(batch)
        for letter in batch:
            if not letter.is_redrivable:
                results.append(_skipped(letter))
                continue
            try:
                is_verified = self._verify(letter)
                key = (letter.id, letter.record.payload.sha256 if letter.record else "")
                if key in going:
                    going[key].letters.append(letter)
                elif (ready := self._ready(letter, rows, is_verified=is_verified)) is None:
                    ended.append(letter)
                else:
                    going[key] = ready
            except _HadItsTurnError:
                results.append(RedriveResult(letter=letter, action=Action.OPENED_SINCE))
            except (BadRecordError, StoreError) as error:
                results.append(_turned_down(letter, error))
        opened, failed = self._open(list(going.values()))
        results += failed + self._send(opened)
        results += self._delete(ended, Action.ENDED)
        return results

    def _rows(self, batch: Sequence[Letter]) -> dict[str, Row | None]:
        """Return the rows of a batch's calls; none if they cannot be read together: each is read alone."""
        ids = [letter.id for letter in batch if letter.record is not None]
        try:
            found = self.ledger.get_all(ids)
        except StoreError:
            # An id that nobody signed may be none that the ledger can look for.
            return {}
        return {call_id: found.get(call_id) for call_id in ids}

    def _verify(self, letter: Letter) -> bool:
        """Tell whether a letter's record was found authentic; False if its keys may not be read here.

        Raises:
            BadRecordError: If it is not.
        """
        if letter.record is None:
            # A capture notice: the unpacker believes of it what is signed.
            return True
        try:
            if letter.kind is LetterKind.REPLAY_MESSAGE:
                read_authentic(letter.body, self.keys)
            else:
                check_record(letter.record, self.keys)
        except SourceDeniedError:
            if self.edit is not None:
                # Whoever signs must know what.
                raise
            self.unverified.append(letter)
            return False
        return True

    def _ready(
        self, letter: Letter, rows: dict[str, Row | None], *, is_verified: bool
    ) -> _Going | None:
        """Return the message of a call, and the row that is to be opened first; None if it has succeeded.

        Raises:
            BadRecordError: If it is not the call that the ledger knows.
            _HadItsTurnError: If it was opened since the job began.
        """
        record = letter.record
        if record is None or letter.is_settlement:
            return _Going(body=letter.body, letters=[letter], dead=None)
        wanted, row = self._look(letter, record, rows, is_verified=is_verified)
        if row is None:
            row = self._row_anew(letter, wanted)
            row = self.ledger.record(row) or row
            self._check_identity(row, record, wanted)
        if row.state is State.SUCCEEDED:
            return None
        # If it is not closed it was opened by an earlier redrive that did not get further, or is on its way:
        # sending again is harmless.
        dead = row if row.state is State.DEAD_LETTERED else None
        if dead is not None and self.since is not None and dead.opened_at >= self.since:
            raise _HadItsTurnError
        if dead is not None and self.edit is not None:
            sha256 = wanted.payload.sha256
            if not self.ledger.redrive(dead, now=self.clock(), sha256=sha256):
                raise BadRecordError("id_conflict", "somebody else has just redriven the call")
            dead = None
        body = write_message(ReplayMessage(record=wanted, object=letter.capture_object))
        return _Going(body=body, letters=[letter], dead=dead)

    def _open(self, going: Sequence[_Going]) -> tuple[list[_Going], list[RedriveResult]]:
        """Let the ledger allow calls to run again; return whose messages may be sent, and what failed."""
        now = self.clock()
        dead = [message.dead for message in going if message.dead is not None]
        try:
            opened = self.ledger.redrive_all(dead, now=now)
        except StoreError:
            opened = frozenset()
        may_go: list[_Going] = []
        failed: list[RedriveResult] = []
        for message in going:
            try:
                if message.dead is not None and message.dead.id not in opened:
                    # False is well: it was opened by this, or by somebody else.
                    self.ledger.redrive(message.dead, now=now)
                may_go.append(message)
            except StoreError as error:
                failed += [_turned_down(letter, error) for letter in message.letters]
        return may_go, failed

    def _look(
        self,
        letter: Letter,
        record: Record,
        rows: dict[str, Row | None],
        *,
        is_verified: bool,
    ) -> tuple[Record, Row | None]:
        """Return what would be sent, and its call's row, if there is one.

        Raises:
            BadRecordError: If it is not the call that the ledger knows.
        """
        wanted = record if self.edit is None else self.edit(record)
        # Another letter of the same call must find what this one makes of its row.
        row = rows.pop(letter.id) if letter.id in rows else self.ledger.get(letter.id)
        if row is not None:
            self._check_identity(row, record, wanted)
        elif not is_verified:
            raise BadRecordError(
                "unverified",
                "the ledger does not know the call any more, and its keys may not be read here: "
                "allow secretsmanager:GetSecretValue on the stack's secrets below source/",
            )
        return wanted, row

    def _check_identity(self, row: Row, record: Record, wanted: Record) -> None:
        """Accept the call that the ledger knows, or one whose payload is being replaced."""
        target = wanted.target.function
        if row.identity == identity_of(wanted):
            return
        is_known = record.payload.sha256 in {row.sha256, row.captured_sha256}
        if target != row.target or not is_known:
            raise BadRecordError(
                "id_conflict", "the ledger knows another payload or target by this id"
            )
        if self.edit is None:
            raise BadRecordError("id_conflict", "an operator has replaced this payload since")
        if row.state is not State.DEAD_LETTERED:
            raise BadRecordError(
                "id_conflict",
                f"the call is {row.state.value} with another payload: redrive it with that one, "
                "or wait for its end",
            )

    def _row_anew(self, letter: Letter, wanted: Record) -> Row:
        """Return the row of a call whose row is gone: its age counts from now, as after any redrive."""
        row = new_row(wanted, letter.capture_object, self.clock(), REDRIVE_KEEPS_S // 86_400)
        captured = wanted.edits or None
        return replace(row, opened_at=format_instant(self.clock()), captured_sha256=captured)

    def _send(self, going: Sequence[_Going]) -> list[RedriveResult]:
        if not going:
            return []
        sent = [letter for message in going for letter in message.letters]
        try:
            self.queue.send(
                [
                    OutMessage(body=message.body, group=message.letters[0].target or None)
                    for message in going
                ]
            )
        except StoreError as error:
            # Some may have been sent: they run once, and their letters wait for the next redrive.
            return [
                RedriveResult(letter=letter, action=Action.FAILED, why=str(error))
                for letter in sent
            ]
        return self._delete(sent, Action.REDRIVEN)

    def _delete(self, letters: Sequence[Letter], action: Action) -> list[RedriveResult]:
        try:
            left = {letter.message_id for letter in self.letters.delete(letters)}
        except StoreError:
            left = {letter.message_id for letter in letters}
        return [
            RedriveResult(
                letter=letter,
                action=Action.LINGERS if letter.message_id in left else action,
            )
            for letter in letters
        ]


def _skipped(letter: Letter) -> RedriveResult:
    return RedriveResult(letter=letter, action=Action.SKIPPED, why=letter.message)


def _turned_down(letter: Letter, error: BadRecordError | StoreError) -> RedriveResult:
    if isinstance(error, BadRecordError):
        why = f"{error.reason}: {error.message}"
        return RedriveResult(letter=letter, action=Action.REFUSED, why=why)
    return RedriveResult(letter=letter, action=Action.FAILED, why=str(error))
