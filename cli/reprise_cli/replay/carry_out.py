"""Replay calls of one object: a crash at any step loses nothing, and no call runs twice for it.

The order is ledger, queue: before a call's message is sent, the ledger lets it run, and a second message of
the same call is suppressed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reprise.errors import BadRecordError, StoreError
from reprise.ledger import State
from reprise.monitor.reconcile import write_notification
from reprise.ports import OutMessage
from reprise.replay.message import ReplayMessage, write_message
from reprise_cli.replay.again import Again, row_of
from reprise_cli.replay.window import Step
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.capturing.record import Record
    from reprise.ledger import Row
    from reprise.ports import Clock, Ledger, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """What became of one call."""

    id: str
    action: Action
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReplayer:
    """Does what was planned with the calls of an object."""

    bucket: str
    ledger: Ledger
    replay_queue: Queue
    capture_queue: Queue
    clock: Clock
    since: str
    """When the job began: a call that was opened since has had its turn."""
    again: Again | None
    """Makes new calls; None if nothing runs again."""
    _noticed: set[str] = field(default_factory=set, init=False)
    """Objects that are taken in again: one notification each, however many calls of it are missed."""

    def run(self, key: str, calls: Sequence[tuple[Record, Step]]) -> list[WindowResult]:
        """Replay calls of an object; never raises for what a store refuses."""
        done: list[WindowResult] = []
        done += self._take_in(key, [record.id for record, step in calls if step is Step.TAKE_IN])
        going: list[tuple[str, str, str | None]] = []
        url = f"s3://{self.bucket}/{key}"
        live = [each for each in calls if each[1] in {Step.REOPEN, Step.AGAIN}]
        try:
            rows = self.ledger.get_all([record.id for record, step in live if step is Step.REOPEN])
        except StoreError as error:
            return done + [
                WindowResult(id=record.id, action=Action.FAILED, why=str(error))
                for record, _ in live
            ]
        for record, step in live:
            try:
                if step is Step.REOPEN:
                    made = self._reopen(record, rows.get(record.id))
                else:
                    made = self._make(record, url)
            except BadRecordError as error:
                made = WindowResult(id=record.id, action=Action.REFUSED, why=error.message)
            except StoreError as error:
                made = WindowResult(id=record.id, action=Action.FAILED, why=str(error))
            if isinstance(made, WindowResult):
                done.append(made)
            else:
                body = write_message(ReplayMessage(record=made, object=url))
                going.append((record.id, body, made.target.name))
        return done + self._send(
            self.replay_queue, going, Action.REDRIVEN, [call_id for call_id, *_ in going]
        )

    def _take_in(self, key: str, ids: Sequence[str]) -> list[WindowResult]:
        """Let the unpacker read an object again, which suppresses what the ledger knows of it."""
        if not ids:
            return []
        if key not in self._noticed:
            body = write_notification(self.bucket, key)
            done = self._send(self.capture_queue, [("", body, None)], Action.TAKEN_IN, ids)
            if done[0].action is Action.FAILED:
                return done
            self._noticed.add(key)
        return [WindowResult(id=call_id, action=Action.TAKEN_IN) for call_id in ids]

    def _reopen(self, record: Record, row: Row | None) -> WindowResult | Record:
        """Let a call that was given up run under its own id."""
        if row is None:
            return WindowResult(
                id=record.id, action=Action.SKIPPED, why="its row is gone: run it again"
            )
        if row.state is State.SUCCEEDED:
            return WindowResult(id=record.id, action=Action.ENDED)
        if row.state is State.DEAD_LETTERED:
            if row.opened_at >= self.since:
                return WindowResult(id=record.id, action=Action.OPENED_SINCE)
            self.ledger.redrive(row, now=self.clock())
        # Else an earlier run opened it and got no further, or it is on its way: sending again is harmless.
        return record

    def _make(self, record: Record, url: str) -> WindowResult | Record:
        """Make a new call, or find the one that an earlier run of the job made."""
        if self.again is None:
            return WindowResult(
                id=record.id, action=Action.SKIPPED, why="nothing runs again in this job"
            )
        made = self.again(record)
        row = self.ledger.record(row_of(made, url, self.clock()))
        if row is not None and row.state is State.SUCCEEDED:
            return WindowResult(id=record.id, action=Action.ENDED)
        if row is not None and row.state is State.DEAD_LETTERED:
            return WindowResult(id=record.id, action=Action.OPENED_SINCE)
        return made

    def _send(
        self,
        queue: Queue,
        going: Sequence[tuple[str, str, str | None]],
        action: Action,
        ids: Sequence[str],
    ) -> list[WindowResult]:
        if not going:
            return []
        try:
            queue.send([OutMessage(body=body, group=group) for _, body, group in going])
        except StoreError as error:
            # Some may have been sent: they run once, and the next run of the job sends the others.
            return [
                WindowResult(id=call_id, action=Action.FAILED, why=str(error)) for call_id in ids
            ]
        return [WindowResult(id=call_id, action=action) for call_id in ids]
