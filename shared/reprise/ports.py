"""What the stations need from the world, as Protocols; `reprise.aws` provides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from reprise.call.outcome import Outcome
    from reprise.call.payload import ClaimCheck
    from reprise.call.reply_to import ReplyTo
    from reprise.call.target import Target
    from reprise.capturing.signature import MacKeys
    from reprise.gate.state import Change, GateState, Updated
    from reprise.ledger import Identity, LedgerEvent, Row
    from reprise.retry.policy import PolicyBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an invocation gave."""

    outcome: Outcome
    payload: bytes = b""
    """The target's own reply, unaltered; empty if there was none."""
    executed_version: str | None = None
    took_ms: float = 0.0
    """How long the request took, answer included."""


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return the present, aware, in UTC."""


class Draw(Protocol):
    """Makes chance."""

    def __call__(self) -> float:
        """Return a number from [0, 1)."""


class RandomBytes(Protocol):
    """Makes bytes that nobody can guess."""

    def __call__(self, length: int, /) -> bytes:
        """Return that many bytes."""


class LineSink(Protocol):
    """Takes finished log lines."""

    def __call__(self, line: str, /) -> None:
        """Write one line, whole, now."""


class Meter(Protocol):
    """Counts what happens, and measures."""

    def count(
        self,
        name: str,
        value: int = 1,
        *,
        target: str | None = None,
        reason: str | None = None,
        outcome: str | None = None,
    ) -> None:
        """Add to a metric of `reprise.metric`; the target is a function ARN."""

    def observe(self, name: str, value: float, *, target: str | None = None) -> None:
        """Keep one value of a metric of `reprise.metric`, in the metric's unit."""


class Invoker(Protocol):
    """Invokes functions."""

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke once, synchronously, as part of an X-Ray trace; never raise for how it ends."""


class KeySource(Protocol):
    """Holds the MAC keys of one source, to sign with."""

    def keys(self) -> MacKeys:
        """Return the keys that are valid now.

        Raises:
            StoreError: If they cannot be had.
            SettingsError: If their key document is refused.
        """


class Keyring(KeySource, Protocol):
    """Holds the MAC keys of every source, to verify with; its own are the pipeline's."""

    def find(self, key_id: str) -> MacKeys:
        """Return the keys of the source that a key id names.

        Raises:
            BadRecordError: `bad_mac` if there is no such source, or its key document is refused.
            StoreError: If they cannot be had now.
        """


class PolicySource(Protocol):
    """Holds the policies."""

    def policies(self, *, within_s: float | None = None) -> PolicyBook:
        """Return the policies in force, as they were read at most `within_s` ago where that is given.

        Raises:
            StoreError: If they cannot be had and none are remembered.
            PolicyError: If the document is invalid and none are remembered.
        """


class Objects(Protocol):
    """Keeps bytes in the stack's bucket."""

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key.

        Raises:
            StoreError: If they are not kept.
        """

    def get(self, claim_check: ClaimCheck) -> bytes:
        """Return what a claim check refers to.

        Raises:
            ObjectMissingError: If it is gone.
            StoreError: If it cannot be read now.
        """

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        """Yield an object's bytes in pieces.

        Raises:
            ObjectMissingError: If it is gone.
            ObjectDeniedError: If it may not be read.
            StoreError: If it cannot be read now.
        """


class Marks(Protocol):
    """Remembers which capture objects somebody was told of."""

    def put(self, url: str, until_s: float) -> None:
        """Mark an object, by its S3 URL, until an instant in seconds since the epoch.

        Raises:
            StoreError: If that cannot be written now.
        """

    def missing(self, urls: Sequence[str], at_s: float) -> list[str]:
        """Return the objects that are not marked now, in their order; leave out what is not known.

        Raises:
            StoreError: If it cannot be known.
        """


class Ledger(Protocol):
    """Keeps one row per call; every change is conditional."""

    def record(self, row: Row) -> Row | None:
        """Write a new row, or return the one that is there already."""

    def record_all(self, rows: Sequence[Row]) -> dict[str, Row | None]:
        """Write new rows; return by id the one that was there already, None where there was none.

        Each has a verdict of its own: what is left out could not be told now.
        """

    def get_all(self, call_ids: Sequence[str], *, is_late: bool = False) -> dict[str, Row]:
        """Return the rows that there are, by id: as they are now, or as of late, which may cost less.

        Raises:
            StoreError: If any of them cannot be read.
        """

    def get(self, call_id: str) -> Row | None:
        """Return a row as it is now."""

    def lease(
        self,
        call_id: str,
        *,
        owner: str,
        now: datetime,
        until_ms: int,
        of: Identity | None = None,
    ) -> Lease:
        """Take a call for one attempt, if it is due and has not ended, and no other owner's lease runs.

        With `of` only the call that this is: the same id may not name another one.
        """

    def lease_all(
        self, wanted: Sequence[LeaseRequest], *, now: datetime, until_ms: int
    ) -> dict[str, Lease]:
        """Take calls for one attempt each, and return by owner those that were granted.

        What is left out may be had all the same: whoever wants it, or wants to know, asks for it alone.

        Raises:
            StoreError: If nothing is known of any.
        """

    def settle(
        self, call_id: str, *, owner: str, event: LedgerEvent, changes: Mapping[str, object]
    ) -> bool:
        """End a lease by an event; False if it is not ours any more."""

    def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
        """End leases, and return the owners of those that were ended by this.

        What is left out may have been ended all the same: whoever wants to know asks for it alone.

        Raises:
            StoreError: If nothing is known of any.
        """

    def mark_letter_sent(self, call_id: str, *, opened_at: str) -> None:
        """Note that the dead letter is in its queue, unless the call was opened again since."""

    def redrive(self, dead: Row, *, now: datetime, sha256: str | None = None) -> bool:
        """Open a dead-lettered call again, its attempts at zero; False if its row is another by now.

        Args:
            dead: Its row as it was read.
            now: The instant.
            sha256: Of another payload that it has from now on, if any.
        """

    def redrive_all(self, dead: Sequence[Row], *, now: datetime) -> frozenset[str]:
        """Open dead-lettered calls again, and return the ids of those that were opened by this.

        What is left out may have been opened all the same: whoever wants it asks for it alone.

        Raises:
            StoreError: If a request failed whole: nothing is known of any.
        """

    def recapture(self, dead: Row, after: Row) -> bool:
        """Write what a later call makes of one that nobody works on; False if its row is another by now."""

    def release(self, call_id: str, *, owner: str) -> bool:
        """Delete the row that a live call began, as if it had not been; False if it is another's by now."""

    def claim(self, dead: Row, *, owner: str, until_ms: int) -> bool:
        """Let a live call alone run over the end of a call that was given up.

        False if its row is another by now, or another live call has claimed it and not said how it ended.
        """

    def unclaim(self, call_id: str, *, owner: str) -> bool:
        """Let go of such a claim; False if it is not there any more."""

    def mark_may_have_run(self, call_id: str) -> bool:
        """Note that another try of a call may have run; False if the call has succeeded, or is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """One lease among several."""

    call_id: str
    owner: str
    """Unique per delivery."""
    of: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRequest:
    """One lease's end among several."""

    call_id: str
    owner: str
    event: LedgerEvent
    changes: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The answer to a lease request."""

    granted: bool
    before: Row | None
    """The row as it was; None if there is none."""


class Concurrency(Protocol):
    """Knows how many calls of a function may run at once."""

    def limit(self, function: str) -> int | None:
        """Return a function's reserved concurrency, or the account's unreserved; None if unknown."""

    def shares_cpus(self, function: str) -> bool:
        """Tell whether a function's calls share CPUs; not if that is unknown."""


class GateItems(Protocol):
    """Keeps one gate per target, changed by conditional updates."""

    def read(self, function: str) -> GateState:
        """Return a gate as last known, at most a fraction of a second old; a new one flows.

        Raises:
            StoreError: If it cannot be read.
        """

    def update(self, function: str, change: Change) -> Updated:
        """Make a change if its conditions hold; the answer holds the item either way.

        Raises:
            StoreError: If it cannot be written; it may have been.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OutMessage:
    """A message to send."""

    body: str
    group: str | None = None
    """MessageGroupId: SQS serves groups of a standard queue fairly."""
    attributes: Mapping[str, str] | None = None
    delay_s: int = 0


class Queue(Protocol):
    """Sends messages to one queue and gives received ones back."""

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Send all messages.

        Raises:
            StoreError: If any of them was not accepted; others may have been.
        """

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        """Let messages reappear after their waits, by receipt handle; best effort."""


class ReplyCheck(Protocol):
    """Knows where late results may go."""

    def check(self, reply_to: ReplyTo) -> None:
        """Accept a place that the stack allows.

        Raises:
            BadRequestError: If it does not.
        """


class QueueSize(Protocol):
    """Counts a queue's messages."""

    def __call__(self) -> int:
        """Return how many there are: due, in work, and waiting.

        Raises:
            StoreError: If it cannot be known.
        """
