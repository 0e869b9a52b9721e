"""Tell the ledger how attempts ended, together where several end while it is being told.

Nobody waits for company: an end that finds nobody telling goes alone, at once. Those that come while its
request is under way go in the next one together, led by the first of them. So lanes that end at the same time
share requests, and one that ends alone is as fast as ever. A crash leaves unknown how a call ended if it
comes before the request that tells of it is answered: that is its own request, and what is left of the one
before.

Source: the group commit of databases (DeWitt et al., "Implementation Techniques for Main Memory Database
Systems", SIGMOD 1984).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise.ports import SettleRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise.ledger import LedgerEvent
    from reprise.ports import Ledger

_log = logging.getLogger(__name__)
MOST: Final = 25
"""Ends that share a request (DynamoDB API reference, BatchExecuteStatement)."""


@dataclass(slots=True)
class _Turn:
    """One end that is to be told, and whoever waits for that."""

    request: SettleRequest
    called: Event = field(default_factory=Event)
    """Set when it has been told, could not be told together, or is to lead."""
    is_leader: bool = False
    answer: bool | None = None
    """What the ledger said; None if it must be asked alone."""
    failure: StoreError | None = None
    """Why the ledger could not be told."""


class Settlements:
    """Tells the ledger of ends; safe to use from several threads."""

    __slots__ = ("_is_telling", "_ledger", "_lock", "_turns", "_wait")

    def __init__(self, ledger: Ledger, wait: Callable[[Event], object] = Event.wait) -> None:
        """Tell this ledger; `wait` returns once an event is set."""
        self._ledger = ledger
        self._wait = wait
        self._lock = Lock()
        self._turns: list[_Turn] = []
        self._is_telling = False

    def settle(
        self, call_id: str, *, owner: str, event: LedgerEvent, changes: Mapping[str, object]
    ) -> bool:
        """End a lease by an event; False if it is not ours any more.

        Raises:
            StoreError: If the ledger cannot be told.
        """
        request = SettleRequest(call_id=call_id, owner=owner, event=event, changes=changes)
        turn = _Turn(request)
        with self._lock:
            self._turns.append(turn)
            turn.is_leader = not self._is_telling
            self._is_telling = True
        if not turn.is_leader:
            self._wait(turn.called)
        if turn.is_leader:
            self._lead()
        if (failure := turn.failure) is not None:
            raise StoreError(
                failure.service, failure.operation, failure.code, "told with others"
            ) from failure
        if turn.answer is None:
            # It was not told with the others: only alone the ledger says why.
            return self._alone(request)
        return turn.answer

    def _lead(self) -> None:
        """Tell of all that wait for it, the leader first, then let the next one lead."""
        with self._lock:
            turns, self._turns = self._turns[:MOST], self._turns[MOST:]
        try:
            if len(turns) > 1:
                self._together(turns)
            else:
                turns[0].answer = self._alone(turns[0].request)
        finally:
            with self._lock:
                heirs = self._turns[:1]
                self._is_telling = bool(heirs)
            for heir in heirs:
                heir.is_leader = True
            for turn in (*turns, *heirs):
                turn.called.set()

    def _together(self, turns: list[_Turn]) -> None:
        try:
            told = self._ledger.settle_all([turn.request for turn in turns])
        except StoreError as error:
            # The client has tried for most of a minute: who tries alone may be ended meanwhile, and nobody
            # would know how the calls ended.
            for turn in turns:
                turn.failure = error
            return
        except Exception:  # noqa: BLE001 - these calls have run: none may stay untold for what others met
            _log.warning("ends are told one by one", exc_info=True)
            return
        for turn in turns:
            turn.answer = turn.request.owner in told or None

    def _alone(self, request: SettleRequest) -> bool:
        return self._ledger.settle(
            request.call_id, owner=request.owner, event=request.event, changes=request.changes
        )
