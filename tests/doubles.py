"""Doubles of the ports, for our own tests: all in memory, every fault and every instant by choice."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from reprise.call.payload import ClaimCheck
from reprise.capturing.signature import MacKeys, split_key_id
from reprise.errors import BadRecordError, ObjectMissingError, StoreError
from reprise.gate.state import Change, GateState, Updated
from reprise.given_up import LINES_A_MINUTE, GivenUpJob, UntoldJobs
from reprise.instant import format_instant
from reprise.ledger import (
    CANCELLED,
    REDRIVE_KEEPS_S,
    Identity,
    LedgerEvent,
    PastAttempt,
    Row,
    State,
    ends_after,
    is_cancelled,
    may_lease,
    result,
    sources,
)
from reprise.metric import MetricKey
from reprise.monitor.counters import BacklogCounters
from reprise.monitor.lost_lines import LoggedLine, LogPage
from reprise.monitor.reconcile import Page
from reprise.ports import Lease, LeaseRequest, OutMessage, Reply, SettleRequest
from reprise.replies import wants_reply
from reprise.retry.decision import Reason
from reprise.testing import START_AT, SUCCEEDED
from reprise_schedules.run import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reprise.call.target import Target
    from reprise.capturing.record import Record
    from reprise.events import Event
    from reprise.reply_note import ReplyNote
    from reprise.retry.policy import PolicyBook


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = START_AT) -> None:
        """Stand still at an instant."""
        self.now = now

    def __call__(self) -> datetime:
        """Return the present."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


class Faults:
    """Makes chosen operations fail a chosen number of times."""

    def __init__(self) -> None:
        """Let everything succeed."""
        self._left: Counter[str] = Counter()

    def fail(self, operation: str, times: int = 1) -> None:
        """Make the next calls of an operation fail."""
        self._left[operation] += times

    def check(self, operation: str) -> None:
        """Fail if this call is meant to.

        Raises:
            StoreError: If so.
        """
        if self._left[operation] > 0:
            self._left[operation] -= 1
            raise StoreError(
                "fake", operation, "InternalServerError", "a fault of the test's making"
            )


class FakeMeter:
    """Counts in a Counter that tests can read."""

    def __init__(self) -> None:
        """Start at zero."""
        self.counts: Counter[str] = Counter()
        self.measured: Counter[MetricKey] = Counter()
        """The same by target's ARN, reason and outcome."""
        self.values: list[tuple[MetricKey, float]] = []

    def count(
        self,
        name: str,
        value: int = 1,
        *,
        target: str | None = None,
        reason: str | None = None,
        outcome: str | None = None,
    ) -> None:
        """Add to a metric."""
        self.counts[name] += value
        self.measured[MetricKey(name, target, reason, outcome)] += value

    def observe(self, name: str, value: float, *, target: str | None = None) -> None:
        """Keep a value."""
        self.values.append((MetricKey(name, target), value))


@dataclass(slots=True)
class FakeFunctions:
    """Answers invocations from a script, then with success; remembers every one."""

    script: list[Reply] = field(default_factory=list)
    answer: Callable[[Target, bytes], Reply] | None = None
    """Takes the place of the script."""
    invoked: list[tuple[Target, bytes, str | None]] = field(default_factory=list)

    traces: list[str | None] = field(default_factory=list)
    """The trace of each, in the same order."""

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke once."""
        self.invoked.append((target, payload, client_context))
        self.traces.append(trace)
        if self.answer is not None:
            return self.answer(target, payload)
        return self.script.pop(0) if self.script else SUCCEEDED


@dataclass(slots=True)
class FakeKeys:
    """Holds the MAC keys of one source to sign with, and more to verify with."""

    current: MacKeys
    others: tuple[MacKeys, ...] = ()
    faults: Faults = field(default_factory=Faults)

    def keys(self) -> MacKeys:
        """Return the keys to sign with."""
        self.faults.check("keys")
        return self.current

    def find(self, key_id: str) -> MacKeys:
        """Return the keys of the source that a key id names.

        Raises:
            BadRecordError: `bad_mac` if there is none.
        """
        self.faults.check("find")
        source, _ = split_key_id(key_id)
        for keys in (self.current, *self.others):
            if keys.source == source:
                return keys
        raise BadRecordError("bad_mac", f"there is no source {source!r}")


@dataclass(slots=True)
class FakePolicies:
    """Holds policies."""

    book: PolicyBook
    faults: Faults = field(default_factory=Faults)
    asked: list[float | None] = field(default_factory=list)
    """How old they might be, by whoever asked."""

    def policies(self, *, within_s: float | None = None) -> PolicyBook:
        """Return the policies."""
        self.asked.append(within_s)
        self.faults.check("policies")
        return self.book


@dataclass(slots=True)
class InMemoryObjects:
    """A bucket."""

    bucket: str = "bucket"
    kept: dict[str, bytes] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    chunk_bytes: int = 64 * 1024

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key."""
        self.faults.check("put")
        self.kept[key] = data
        return ClaimCheck(bucket=self.bucket, key=key, version_id="1")

    def get(self, claim_check: ClaimCheck) -> bytes:
        """Return what a claim check refers to."""
        return b"".join(self.stream(claim_check.bucket, claim_check.key))

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        """Yield an object's bytes in pieces."""
        del version_id
        self.faults.check("get")
        if bucket != self.bucket or key not in self.kept:
            raise ObjectMissingError("fake", "get", "NoSuchKey", f"s3://{bucket}/{key}")
        data = self.kept[key]
        for start in range(0, len(data), self.chunk_bytes):
            yield data[start : start + self.chunk_bytes]


@dataclass(slots=True)
class InMemoryMarks:
    """Marks of capture objects."""

    until_s: dict[str, float] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def put(self, url: str, until_s: float) -> None:
        """Mark an object until an instant."""
        self.faults.check("put")
        self.until_s[url] = until_s

    def missing(self, urls: Sequence[str], at_s: float) -> list[str]:
        """Return the objects that are not marked now."""
        self.faults.check("missing")
        return [url for url in urls if self.until_s.get(url, 0.0) <= at_s]


@dataclass(slots=True)
class InMemoryListing:
    """A bucket's list: when each object was written, in seconds since the epoch."""

    modified_at_s: dict[str, float] = field(default_factory=dict)
    page_size: int = 1000
    faults: Faults = field(default_factory=Faults)

    def page(self, prefix: str, after: str) -> Page:
        """Return the objects below a prefix whose keys come after a key."""
        self.faults.check("page")
        keys = [key for key in sorted(self.modified_at_s) if key.startswith(prefix) and key > after]
        some = keys[: self.page_size]
        return Page(
            modified_at_s={key: self.modified_at_s[key] for key in some}, is_last=some == keys
        )


@dataclass(slots=True)
class InMemoryLogs:
    """Log groups that keep capture lines, and hand them over page by page."""

    lines: dict[str, list[LoggedLine]] = field(default_factory=dict)
    """By group, in the order in which they came in."""
    page_size: int = 10_000
    asked: list[tuple[str, int, int, str]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    expired: set[str] = field(default_factory=set)
    """Tokens that are good no longer."""

    def page(self, group: str, *, begin_ms: int, end_ms: int, token: str) -> LogPage:
        """Return the capture lines between two instants, a page of them."""
        self.asked.append((group, begin_ms, end_ms, token))
        self.faults.check("page")
        if token in self.expired:
            raise StoreError("fake", "page", "InvalidParameterException", "the token has expired")
        found = [line for line in self.lines.get(group, []) if begin_ms <= line.at_ms <= end_ms]
        found.sort(key=lambda line: line.at_ms)
        start = int(token or 0)
        end = start + self.page_size
        return LogPage(lines=tuple(found[start:end]), token=str(end) if end < len(found) else "")


@dataclass(slots=True)
class InMemoryQueue:
    """A queue: what was sent, and what was given back for how long."""

    sent: list[OutMessage] = field(default_factory=list)
    waits_s: dict[str, float] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Send all messages."""
        self.faults.check("send")
        self.sent.extend(messages)

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        """Let messages reappear after their waits."""
        self.waits_s.update(waits_s)

    def depth(self) -> int:
        """Return how many messages were sent."""
        self.faults.check("depth")
        return len(self.sent)


@dataclass(slots=True)
class InMemoryReplies:
    """Takes calls that have ended, as the queue of the add-on replies does."""

    told: list[Record] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)

    def tell(self, record: Record) -> None:
        """Remember a call whose caller asked for its late result."""
        if wants_reply(record):
            self.faults.check("tell")
            self.told.append(record)


@dataclass(slots=True)
class InMemoryNotes:
    """Notes of deliveries."""

    kept: dict[str, dict[str, ReplyNote]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def read(self, call_id: str) -> Mapping[str, ReplyNote]:
        """Return a call's notes."""
        self.faults.check("read")
        return dict(self.kept.get(call_id, {}))

    def write(self, call_id: str, name: str, note: ReplyNote) -> None:
        """Keep a note in place of the one before."""
        self.faults.check("write")
        self.kept.setdefault(call_id, {})[name] = note


@dataclass(slots=True)
class InMemoryLedger:
    """A ledger with the same table of states as the real one; as there, each change is made whole."""

    rows: dict[str, Row] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    _lock: Lock = field(default_factory=Lock)

    def record(self, row: Row) -> Row | None:
        """Write a new row, or return the one that is there already."""
        self.faults.check("record")
        with self._lock:
            if row.id in self.rows:
                return self.rows[row.id]
            self.rows[row.id] = row
            return None

    def record_all(self, rows: Sequence[Row]) -> dict[str, Row | None]:
        """Write new rows; return by id the one that was there already, None where there was none."""
        told: dict[str, Row | None] = {}
        for row in rows:
            # As in a batch: one statement that fails, and the others go on.
            with suppress(StoreError):
                told.setdefault(row.id, self.record(row))
        return told

    def get_all(self, call_ids: Sequence[str], *, is_late: bool = False) -> dict[str, Row]:
        """Return the rows that there are, by id; never late."""
        del is_late
        self.faults.check("get_all")
        return {call_id: self.rows[call_id] for call_id in call_ids if call_id in self.rows}

    def get(self, call_id: str) -> Row | None:
        """Return a row as it is now."""
        self.faults.check("get")
        return self.rows.get(call_id)

    def lease(
        self,
        call_id: str,
        *,
        owner: str,
        now: datetime,
        until_ms: int,
        of: Identity | None = None,
    ) -> Lease:
        """Take a call for one attempt."""
        self.faults.check("lease")
        with self._lock:
            before = self.rows.get(call_id)
            if before is None:
                return Lease(granted=False, before=None)
            if of is not None and of != before.identity:
                return Lease(granted=False, before=before)
            now_ms = int(now.timestamp() * 1000)
            is_ours = before.state is State.LEASED and before.lease_owner == owner
            if is_ours and before.lease_until_ms >= now_ms:
                # Repeated by an SDK that lost the answer: granted as it was.
                return Lease(granted=True, before=replace(before, state=State(before.lease_from)))
            granted = may_lease(before, now_ms=now_ms)
            if granted:
                self.rows[call_id] = replace(
                    before,
                    state=result(LedgerEvent.LEASE),
                    lease_from=before.state.value,
                    lease_owner=owner,
                    lease_until_ms=until_ms,
                    updated_at=format_instant(now),
                )
            return Lease(granted=granted, before=before)

    def lease_all(
        self, wanted: Sequence[LeaseRequest], *, now: datetime, until_ms: int
    ) -> dict[str, Lease]:
        """Take calls for one attempt each, and return those that were granted."""
        leases: dict[str, Lease] = {}
        seen: set[str] = set()
        for each in wanted:
            if each.call_id not in seen:
                seen.add(each.call_id)
                with suppress(StoreError):
                    leases[each.owner] = self.lease(
                        each.call_id, owner=each.owner, now=now, until_ms=until_ms, of=each.of
                    )
        return {owner: lease for owner, lease in leases.items() if lease.granted}

    def settle(
        self, call_id: str, *, owner: str, event: LedgerEvent, changes: Mapping[str, object]
    ) -> bool:
        """End a lease by an event; False if it is not ours any more."""
        self.faults.check("settle")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None or row.lease_owner != owner:
                return False
            if row.state not in sources(event):
                return row.state is result(event)
            values = {name: value for name, value in changes.items() if value is not None}
            if "history" in values:
                values["history"] = tuple(msgspec.convert(values["history"], list[PastAttempt]))
            fields: dict[str, Any] = values
            self.rows[call_id] = replace(row, state=result(event), **fields)
            return True

    def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
        """End leases, and return the owners of those that were ended by this."""
        told: set[str] = set()
        for each in wanted:
            row = self.rows.get(each.call_id)
            is_held = row is not None and row.state is State.LEASED
            with suppress(StoreError):
                if is_held and self.settle(
                    each.call_id, owner=each.owner, event=each.event, changes=each.changes
                ):
                    told.add(each.owner)
        return frozenset(told)

    def mark_letter_sent(self, call_id: str, *, opened_at: str) -> None:
        """Note that the dead letter is in its queue."""
        self.faults.check("mark_letter_sent")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None or row.state is not State.DEAD_LETTERED or row.opened_at != opened_at:
                return
            self.rows[call_id] = replace(row, letter_sent=True)

    def discard(self, call_id: str, *, opened_at: str, note: str) -> bool:
        """Note why a dead-lettered call's letter was discarded."""
        self.faults.check("discard")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None or (row.state, row.opened_at) != (State.DEAD_LETTERED, opened_at):
                return False
            self.rows[call_id] = replace(row, note=note)
            return True

    def cancel(self, call_id: str, *, opened_at: str, now: datetime, note: str) -> bool:
        """End a call that nobody works on, for an operator."""
        self.faults.check("cancel")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None or row.opened_at != opened_at:
                return False
            if row.state not in sources(LedgerEvent.CANCEL):
                return is_cancelled(row) and row.note == note  # repeated by an SDK, else False
            self.rows[call_id] = replace(
                row,
                state=result(LedgerEvent.CANCEL),
                reason=Reason.CANCELLED.value,
                message=CANCELLED,
                note=note,
                letter_sent=True,
                updated_at=format_instant(now),
            )
            return True

    def redrive(self, dead: Row, *, now: datetime, sha256: str | None = None) -> bool:
        """Open a dead-lettered call again."""
        self.faults.check("redrive")
        return self._redrive(dead, now, sha256)

    def _redrive(self, dead: Row, now: datetime, sha256: str | None = None) -> bool:
        with self._lock:
            row = self.rows.get(dead.id)
            if row is None or row.state is not State.DEAD_LETTERED:
                if row is None or row.opened_at != format_instant(now):
                    return False
                return row.state is result(LedgerEvent.REDRIVE)  # repeated by an SDK, else False
            if row.opened_at != dead.opened_at:
                return False
            if sha256 is not None:
                row = replace(row, sha256=sha256, captured_sha256=row.original_sha256)
            self.rows[dead.id] = replace(
                row,
                state=result(LedgerEvent.REDRIVE),
                ends=ends_after(dead, LedgerEvent.REDRIVE),
                opened_at=format_instant(now),
                updated_at=format_instant(now),
                attempts=0,
                refusals=0,
                due_at_ms=0,
                claimed_by=None,
                reason=None,
                message=None,
                note=None,
                letter_sent=False,
                may_have_run=False,
                expires_at_s=row.expires_at_s + REDRIVE_KEEPS_S,
            )
            return True

    def redrive_all(self, dead: Sequence[Row], *, now: datetime) -> frozenset[str]:
        """Open dead-lettered calls again."""
        self.faults.check("redrive_all")
        return frozenset(row.id for row in dead if self._redrive(row, now))

    def recapture(self, dead: Row, after: Row) -> bool:
        """Write what a later capture makes of a dead-lettered call."""
        self.faults.check("recapture")
        with self._lock:
            row = self.rows.get(dead.id)
            if row is None or _life(row) != _life(dead):
                return row == after  # repeated by an SDK, else False
            self.rows[dead.id] = after
            return True

    def release(self, call_id: str, *, owner: str) -> bool:
        """Delete the row that a live call began."""
        self.faults.check("release")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None:
                return True
            if row.state is not State.LEASED or row.lease_owner != owner:
                return False
            del self.rows[call_id]
            return True

    def claim(self, dead: Row, *, owner: str, until_ms: int) -> bool:
        """Let a live call alone run over the end of a call that was given up."""
        self.faults.check("claim")
        with self._lock:
            row = self.rows.get(dead.id)
            if row is None or row.state is not State.DEAD_LETTERED or row.claimed_by:
                return row is not None and row.claimed_by == owner  # repeated by an SDK, else False
            if (row.opened_at, row.updated_at) != (dead.opened_at, dead.updated_at):
                return False
            self.rows[dead.id] = replace(row, claimed_by=owner, claimed_until_ms=until_ms)
            return True

    def unclaim(self, call_id: str, *, owner: str) -> bool:
        """Let go of such a claim."""
        self.faults.check("unclaim")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None or row.claimed_by != owner:
                return False
            self.rows[call_id] = replace(row, claimed_by=None, claimed_until_ms=None)
            return True

    def mark_may_have_run(self, call_id: str) -> bool:
        """Note that another try of a call may have run."""
        self.faults.check("mark_may_have_run")
        with self._lock:
            row = self.rows.get(call_id)
            if row is None or row.state is State.SUCCEEDED:
                return False
            self.rows[call_id] = replace(row, may_have_run=True)
            return True


def _life(row: Row) -> tuple[object, ...]:
    """Return what tells whether a row has changed since it was seen, but for its letter."""
    return row.state, row.opened_at, row.updated_at, row.may_have_run, row.claimed_by or ""


@dataclass(slots=True)
class FakeConcurrency:
    """Knows what it is told."""

    limits: dict[str, int] = field(default_factory=dict)
    managed: set[str] = field(default_factory=set)

    def limit(self, function: str) -> int | None:
        """Return a function's limit."""
        return self.limits.get(function)

    def shares_cpus(self, function: str) -> bool:
        """Tell whether a function's calls share CPUs."""
        return function in self.managed


_NEW_GATE = GateState()


@dataclass(slots=True)
class InMemoryGateItems:
    """Gates, changed on condition."""

    images: dict[str, GateState] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    writes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def read(self, function: str) -> GateState:
        """Return a gate."""
        self.faults.check("read")
        return self.images.get(function, _NEW_GATE)

    def update(self, function: str, change: Change) -> Updated:
        """Make a change if its conditions hold."""
        self.faults.check("update")
        with self._lock:
            image = self.images.get(function, _NEW_GATE)
            self.writes += 1
            if not all(condition.holds(image) for condition in change.when):
                return Updated(applied=False, image=image)
            after = change.apply(image)
            self.images[function] = after
            return Updated(applied=True, image=after)


@dataclass(slots=True)
class InMemoryCounters:
    """Books of the backlog."""

    kept: dict[str, BacklogCounters] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def add(self, label: str, change: BacklogCounters) -> BacklogCounters:
        """Add to a book, and return it as it is then."""
        self.faults.check("add")
        old = self.kept.get(label, BacklogCounters())
        dead = Counter(old.dead) + Counter(change.dead)
        self.kept[label] = BacklogCounters(
            known=old.known + change.known, ended=old.ended + change.ended, dead=dict(dead)
        )
        return self.kept[label]

    def read(self, labels: Sequence[str]) -> Mapping[str, BacklogCounters]:
        """Return the books that there are."""
        self.faults.check("read")
        return {label: self.kept[label] for label in labels if label in self.kept}

    def close(self, label: str, book: BacklogCounters) -> bool:
        """Say that nothing is open; False if the book has changed since it was read."""
        self.faults.check("close")
        if self.kept.get(label) != book:
            return False
        self.kept[label] = replace(book, ended=book.known)
        return True


@dataclass(slots=True)
class InMemoryBus:
    """An event bus."""

    sent: list[Event] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    refuses: int = 0
    """How many events of each request it does not take."""

    def put(self, events: Sequence[Event]) -> int:
        """Send events, and return how many were not taken."""
        self.faults.check("put")
        self.sent.extend(events[self.refuses :])
        return min(self.refuses, len(events))


@dataclass(slots=True)
class InMemoryJobBook:
    """Jobs that were given up."""

    jobs: list[GivenUpJob] = field(default_factory=list)
    counted: int = 0
    faults: Faults = field(default_factory=Faults)

    def add(self, job: GivenUpJob) -> None:
        """Keep a job by its name, or only count it."""
        self.faults.check("add")
        if job in self.jobs:
            return
        if len(self.jobs) < LINES_A_MINUTE:
            self.jobs.append(job)
        else:
            self.counted += 1

    def read(self) -> UntoldJobs:
        """Return what is kept."""
        self.faults.check("read")
        return UntoldJobs(jobs=tuple(self.jobs), count=self.counted)

    def take(self, told: UntoldJobs) -> None:
        """Keep no longer what was told."""
        self.faults.check("take")
        self.jobs = [job for job in self.jobs if job not in told.jobs]
        self.counted -= told.count


@dataclass(slots=True)
class InMemoryJobs:
    """Jobs, written on condition."""

    states: dict[str, JobState] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def read(self, job: str) -> JobState:
        """Return a job."""
        self.faults.check("read")
        return self.states.get(job, JobState())

    def write(self, job: str, state: JobState) -> JobState | None:
        """Write a state computed from its version; return None, or what is there instead."""
        self.faults.check("write")
        there = self.states.get(job, JobState())
        after = replace(state, version=state.version + 1)
        if there.version != state.version:
            return None if there == after else there
        self.states[job] = after
        return None
