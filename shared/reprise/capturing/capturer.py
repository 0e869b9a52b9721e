"""Capture a call: build its record, keep a large payload, and write the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from reprise import metric
from reprise.call.id import RANDOM_BYTES, id_of, new_call_id
from reprise.call.payload import Payload, digest, pack
from reprise.capturing.line import MAX_LINE_BYTES, write_line
from reprise.capturing.record import Record, Source
from reprise.capturing.status import write_status_token
from reprise.instant import format_instant, parse_instant
from reprise.version import __version__

if TYPE_CHECKING:
    from reprise.call.outcome import Outcome
    from reprise.call.request import CallRequest
    from reprise.ledger import Row
    from reprise.ports import Clock, KeySource, LineSink, Meter, Objects, RandomBytes

_RECORD_ROOM_BYTES: Final = 32 * 1024
"""Room for everything but the payload: names, key and scope, context (3.6 KB), message and code (15 KB if
all of it is escaped), MAC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A call whose line is written."""

    call_id: str
    status_token: str
    """By which whoever asked for the call may ask for its end."""
    captured_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capturer:
    """Writes capture lines."""

    keys: KeySource
    objects: Objects
    sink: LineSink
    clock: Clock
    random_bytes: RandomBytes
    meter: Meter

    def keyed_id(self, request: CallRequest) -> str | None:
        """Return the id of a call whose caller gave it a key; None if it is to be named at random.

        Raises:
            StoreError, SettingsError: As `capture`: the source's name comes with its secret.
        """
        if request.idempotency_key is None:
            return None
        return id_of(
            request.target,
            source=self.keys.keys().source,
            scope=request.scope,
            key=request.idempotency_key,
        )

    def capture(self, request: CallRequest, outcome: Outcome) -> Captured:
        """Write the capture line of a call that did not succeed.

        Raises:
            StoreError: If the payload or the key cannot be had; the call is not captured.
            SettingsError: If the key document is refused; the call is not captured.
        """
        now = self.clock()
        call_id = self.keyed_id(request) or new_call_id(
            int(now.timestamp() * 1000), self.random_bytes(RANDOM_BYTES)
        )
        keys = self.keys.keys()
        payload = self._carry(call_id, request)
        token = write_status_token(call_id, payload.sha256, now, keys)
        record = Record(
            id=call_id,
            captured_at=format_instant(now),
            source=Source(name=keys.source, version=__version__),
            target=request.target,
            payload=payload,
            client_context=request.client_context,
            outcome=outcome,
            not_after=request.not_after,
            trace=request.trace,
            idempotency_key=_said(request.idempotency_key),
            scope=_said(request.scope),
        )
        self.sink(write_line(record, keys))
        self.meter.count(metric.CAPTURED, target=request.target.function)
        return Captured(call_id=call_id, status_token=token, captured_at=record.captured_at)

    def as_captured(self, row: Row) -> Captured:
        """Return what the caller of a call's capture was told, for one who calls again.

        Raises:
            StoreError, SettingsError: As `capture`.
        """
        captured_at = parse_instant(row.captured_at)
        token = write_status_token(row.id, row.original_sha256, captured_at, self.keys.keys())
        return Captured(call_id=row.id, status_token=token, captured_at=row.captured_at)

    def _carry(self, call_id: str, request: CallRequest) -> Payload:
        """Return the payload as it travels; one that fits no line is kept before the line is written."""
        data = request.payload
        payload = pack(data, MAX_LINE_BYTES - _RECORD_ROOM_BYTES)
        if payload is not None:
            return payload
        sha256 = digest(data)
        # The digest in the key: a repeated key with another payload must not overwrite the first.
        claim_check = self.objects.put(f"payloads/{call_id}/{sha256[:16]}", data)
        self.meter.count(metric.CLAIM_CHECKS, target=request.target.function)
        return Payload(claim_check=claim_check, size_bytes=len(data), sha256=sha256)


def _said(text: str | None) -> str | msgspec.UnsetType:
    """Return what a caller said; what it did not say is left out of the line, as in version 0.1.0."""
    return msgspec.UNSET if text is None else text
