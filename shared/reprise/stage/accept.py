"""Decide what of an object is a captured call that may be replayed; keep the rest with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise import metric
from reprise.backlog.part import Entry
from reprise.batch.event import EVENTS_PREFIX, read_event
from reprise.errors import BadRecordError
from reprise.reader import Control, Damage, Event, Foreign, Item, Origin
from reprise.record.authentic import sign_record
from reprise.record.line import Trusted, read_line
from reprise.record.record import EVENT_NAME, Record
from reprise.stage.in_time import no_hurry, read_in_time

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from reprise.ports import Keyring, Meter, Objects
    from reprise.stage.notification import ObjectRef
    from reprise.stage.quarantine import Quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptStage:
    """Reads objects, and accepts authentic lines from where they may come from."""

    objects: Objects
    keys: Keyring
    meter: Meter
    targets: tuple[str, ...]
    log_groups: frozenset[str]
    account_id: str
    batch_jobs: tuple[str, ...] = ()
    """Job definitions whose failed jobs are submitted again."""

    def read(
        self,
        ref: ObjectRef,
        quarantine: Quarantine,
        remaining_ms: Callable[[], int] = no_hurry,
    ) -> Generator[tuple[int, Entry | None]]:
        """Yield every position of an object from its `skip` on, with the record there, if any.

        Raises:
            ObjectMissingError, ObjectDeniedError, StoreError: If it must be tried again.
            SettingsError: If the pipeline's own key document is refused.
            SlowObjectError: If the time is over.
        """
        # First: who may read no keys at all must not judge lines.
        self.keys.keys()
        trusted = Trusted(
            keys=self.keys,
            targets=(*self.targets, *self.batch_jobs),
            is_event_object=ref.key.startswith(EVENTS_PREFIX),
        )
        stream = self.objects.stream(ref.bucket, ref.key, ref.version_id)
        for position, item in read_in_time(ref, stream, remaining_ms):
            yield position, self._accept(position, item, trusted, quarantine)

    def _accept(
        self, position: int, item: Item, trusted: Trusted, quarantine: Quarantine
    ) -> Entry | None:
        """Return the record of an item that may be replayed; put what may not be in quarantine."""
        match item:
            case Control():
                self.meter.count(metric.CONTROL_MESSAGES)
            case Foreign(text=text) if trusted.is_event_object:
                return self._accept_event(position, text, quarantine)
            case Foreign(text=text) if EVENT_NAME in text:
                why = "a capture line without its envelope: turn off Firehose's message extraction"
                quarantine.add(position, "no_envelope", why, text.encode("utf-8", "surrogatepass"))
            case Foreign():
                self.meter.count(metric.FOREIGN_LINES)
            case Damage():
                quarantine.add_damage(position, item)
            case Event():
                record = self._read_line(position, item, trusted, quarantine)
                if record is not None:
                    return Entry(position=position, event=item, record=record)
        return None

    def _accept_event(self, position: int, text: str, quarantine: Quarantine) -> Entry | None:
        """Return a failed batch job, signed by the pipeline: its place vouches for it (ADR 0014)."""
        try:
            record = read_event(text, self.account_id, self.batch_jobs)
        except BadRecordError as error:
            data = text.encode("utf-8", "surrogatepass")
            quarantine.add(position, error.reason, error.message, data)
            return None
        if record is None:
            self.meter.count(metric.FOREIGN_LINES)
            return None
        record = sign_record(record, self.keys.keys())
        event = Event(text, origin=Origin(self.account_id))
        return Entry(position=position, event=event, record=record, is_foldable=False)

    def _read_line(
        self, position: int, event: Event, trusted: Trusted, quarantine: Quarantine
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

    def _check_origin(self, event: Event) -> None:
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
