"""Decide what of an object is a captured call that may be replayed; keep the rest with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.call.target_type import FUNCTION, FailureEvents, TargetType, failure_events
from reprise.capturing.line import Verifier, read_line, sign_record
from reprise.capturing.record import EVENT_NAME, Record
from reprise.errors import BadRecordError, SlowObjectError
from reprise.logreader import Control, Damage, Item, LogEvent, Origin, UnknownLine, read_events

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from reprise.ports import Keyring, Meter, Objects
    from reprise.quarantine import Quarantine
    from reprise.unpack.notification import ObjectRef

MAX_RECORDS: Final = 1000
"""Most records of one part: what one decision may send to the replay queue at once."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Most text of one part; a single longer line gets a part of its own."""
MAX_OPEN_BYTES: Final = 32 * 1024 * 1024
"""Most text of all open parts together: bounds memory, however many targets share an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRecord:
    """One authentic record, and the log event that it came in."""

    position: int
    """Number of the event in its object."""
    event: LogEvent
    record: Record
    is_foldable: bool = True
    """False for a failed batch job: where it lies vouches for it, so it cannot be parked elsewhere."""


@dataclass(slots=True, kw_only=True)
class TargetBatch:
    """Records of one target out of one object, in their order."""

    function: str
    """Unqualified ARN of the target."""
    entries: list[AcceptedRecord] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def start(self) -> int:
        """Return the position of the first record; it names the part."""
        return self.entries[0].position

    def add(self, entry: AcceptedRecord) -> None:
        """Take one more record."""
        self.entries.append(entry)
        self.size_bytes += len(entry.event.message)

    def after(self, count: int) -> TargetBatch:
        """Return the part without its first `count` records."""
        rest = TargetBatch(function=self.function)
        for entry in self.entries[count:]:
            rest.add(entry)
        return rest


class Partitioner:
    """Sorts records as they are read.

    Where a part ends depends on the object's content and on where reading began, and on nothing
    else: reading the same object again makes the same parts.
    """

    __slots__ = ("_open", "_size_bytes", "closed")

    def __init__(self) -> None:
        """Start with nothing open."""
        self._open: dict[str, TargetBatch] = {}
        self._size_bytes = 0
        self.closed = 0
        """Parts that were full before the object's end."""

    def add(self, entry: AcceptedRecord) -> Iterator[TargetBatch]:
        """Take a record; yield the parts that it found full, or that memory has no more room for.

        A full part stays open until another record comes, so that an object of just one part is
        known to be one.
        """
        function = entry.record.target.function
        size_bytes = len(entry.event.message)
        part = self._open.get(function)
        if part is not None and (
            len(part.entries) == MAX_RECORDS or part.size_bytes + size_bytes > MAX_BYTES
        ):
            yield self._close(function)
        self._open.setdefault(function, TargetBatch(function=function)).add(entry)
        self._size_bytes += size_bytes
        if self._size_bytes >= MAX_OPEN_BYTES:
            yield self._close(max(self._open, key=lambda name: self._open[name].size_bytes))

    def rest(self) -> list[TargetBatch]:
        """Return the parts that are still open, in the order of their first records, and close them."""
        parts = list(self._open.values())
        self._open.clear()
        self._size_bytes = 0
        return parts

    def _close(self, function: str) -> TargetBatch:
        part = self._open.pop(function)
        self._size_bytes -= part.size_bytes
        self.closed += 1
        return part


LATE_MS: Final = 20_000
"""Time that is kept to hand over what was read; more than the reader ever takes for one step."""


def no_hurry() -> int:
    """Return more milliseconds than any reading takes."""
    return 1 << 40


def read_in_time(
    ref: ObjectRef, chunks: Iterable[bytes], remaining_ms: Callable[[], int]
) -> Iterator[tuple[int, Item]]:
    """Yield an object's items from its `skip` on, each with its position.

    Args:
        ref: The object.
        chunks: Its bytes.
        remaining_ms: Milliseconds until this process is stopped. Whoever begins with less than `LATE_MS`
            is not to blame for it: then nothing is raised.

    Raises:
        SlowObjectError: If no time is left, be it for what an earlier run has dealt with.
    """
    has_begun_in_time = remaining_ms() >= LATE_MS

    def check() -> None:
        if has_begun_in_time and remaining_ms() < LATE_MS:
            raise SlowObjectError(ref.url, ref.skip)

    def checked() -> Iterator[bytes]:
        for chunk in chunks:
            check()
            yield chunk

    for position, item in enumerate(read_events(checked())):
        check()
        if position >= ref.skip:
            yield position, item


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordValidator:
    """Reads objects, and accepts authentic lines from where they may come from."""

    objects: Objects
    keys: Keyring
    meter: Meter
    targets: tuple[str, ...]
    log_groups: frozenset[str]
    account_id: str
    types: tuple[TargetType, ...] = (FUNCTION,)

    def read(
        self,
        ref: ObjectRef,
        quarantine: Quarantine,
        remaining_ms: Callable[[], int] = no_hurry,
    ) -> Generator[tuple[int, AcceptedRecord | None]]:
        """Yield every position of an object from its `skip` on, with the record there, if any.

        Raises:
            ObjectMissingError, ObjectDeniedError, StoreError: If it must be tried again.
            SettingsError: If the pipeline's own key document is refused.
            SlowObjectError: If the time is over.
        """
        # First: who may read no keys at all must not judge lines.
        self.keys.keys()
        trusted = Verifier(keys=self.keys, targets=self.targets, types=self.types)
        events = next(
            (each for each in failure_events(self.types) if ref.key.startswith(each.prefix)), None
        )
        stream = self.objects.stream(ref.bucket, ref.key, ref.version_id)
        for position, item in read_in_time(ref, stream, remaining_ms):
            yield position, self._accept(position, item, trusted, events, quarantine)

    def _accept(
        self,
        position: int,
        item: Item,
        trusted: Verifier,
        events: FailureEvents | None,
        quarantine: Quarantine,
    ) -> AcceptedRecord | None:
        """Return the record of an item that may be replayed; put what may not be in quarantine."""
        match item:
            case Control():
                self.meter.count(metric.CONTROL_MESSAGES)
            case UnknownLine(text=text) if events is not None:
                return self._accept_event(position, text, events, quarantine)
            case UnknownLine(text=text) if EVENT_NAME in text:
                why = "a capture line without its envelope: turn off Firehose's message extraction"
                quarantine.add(position, "no_envelope", why, text.encode("utf-8", "surrogatepass"))
            case UnknownLine():
                self.meter.count(metric.FOREIGN_LINES)
            case Damage():
                quarantine.add_damage(position, item)
            case LogEvent():
                record = self._read_line(position, item, trusted, quarantine)
                if record is not None:
                    return AcceptedRecord(position=position, event=item, record=record)
        return None

    def _accept_event(
        self, position: int, text: str, events: FailureEvents, quarantine: Quarantine
    ) -> AcceptedRecord | None:
        """Return a target's own failure, signed by the pipeline: its place vouches for it (ADR 0014)."""
        try:
            record = events.read(text, self.account_id, self.targets)
        except BadRecordError as error:
            data = text.encode("utf-8", "surrogatepass")
            quarantine.add(position, error.reason, error.message, data)
            return None
        if record is None:
            self.meter.count(metric.FOREIGN_LINES)
            return None
        record = sign_record(record, self.keys.keys())
        event = LogEvent(text, origin=Origin(self.account_id))
        return AcceptedRecord(position=position, event=event, record=record, is_foldable=False)

    def _read_line(
        self, position: int, event: LogEvent, trusted: Verifier, quarantine: Quarantine
    ) -> Record | None:
        try:
            self._check_origin(event)
            record = read_line(event.message, trusted)
        except BadRecordError as error:
            data = event.message.encode("utf-8", "surrogatepass")
            quarantine.add(position, error.reason, error.message, data)
            return None
        if record is None:
            self.meter.count(metric.FOREIGN_LINES)
        return record

    def _check_origin(self, event: LogEvent) -> None:
        """Accept events of our account's capture log groups only.

        Raises:
            BadRecordError: `account_not_allowed` or `log_group_not_allowed`.
        """
        if event.owner != self.account_id:
            raise BadRecordError("account_not_allowed", f"owner is {event.owner!r}")
        if event.log_group not in self.log_groups:
            raise BadRecordError(
                "log_group_not_allowed",
                f"{event.log_group!r} is no log group of this stack: see ExtraLogGroups",
            )
