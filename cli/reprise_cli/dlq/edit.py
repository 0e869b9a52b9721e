"""Replace a dead-lettered call's payload: a new record, signed as the operator's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise.call.payload import ClaimCheck, Payload, digest, pack
from reprise.capturing.line import context_for_replay, may_sign, sign_record
from reprise.capturing.record import Record, Source
from reprise.capturing.signature import OPERATOR
from reprise.errors import BadRecordError
from reprise.version import __version__

if TYPE_CHECKING:
    from reprise.capturing.signature import MacKeys

_BUDGET_BYTES: Final = 200 * 1024
"""Longest payload inside the message, escaped; as captured ones, longer ones are kept in the bucket."""


class PayloadWriter(Protocol):
    """Keeps payloads that no message can hold."""

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key.

        Raises:
            StoreError: If they are not kept.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunWriter:
    """Says where bytes would be kept, for a dry run."""

    bucket: str

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep nothing."""
        del data
        return ClaimCheck(bucket=self.bucket, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Another payload, and the keys to sign it with."""

    data: bytes
    keys: MacKeys
    """The operators'."""
    objects: PayloadWriter

    def __call__(self, record: Record) -> Record:
        """Return a record with the payload replaced; all else is the captured call's.

        Raises:
            BadRecordError: `target_not_allowed`, if operators may not sign for its target.
            StoreError: If a long payload is not kept.
        """
        target = record.target.function
        if not may_sign(self.keys, target):
            raise BadRecordError("target_not_allowed", f"operators may not sign for {target!r}")
        return sign_record(
            msgspec.structs.replace(
                record,
                source=Source(name=OPERATOR, version=__version__),
                payload=self._carry(record.id),
                # The mark of a call that its own target captured goes on.
                client_context=context_for_replay(record),
                edits=record.edits or record.payload.sha256,
            ),
            self.keys,
        )

    def _carry(self, call_id: str) -> Payload:
        payload = pack(self.data, _BUDGET_BYTES)
        if payload is not None:
            return payload
        sha256 = digest(self.data)
        kept = self.objects.put(f"payloads/{call_id}/{sha256[:16]}", self.data)
        return Payload(claim_check=kept, size_bytes=len(self.data), sha256=sha256)
