"""What `reprise read` finds in one object: records told from other lines, and all of it counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reprise.call.payload import unpack
from reprise.errors import BadRecordError, PayloadError
from reprise.logreader import Account, Control, Damage, LogEvent, UnknownLine
from reprise_cli.capture_line import decode_line

if TYPE_CHECKING:
    from reprise.logreader import Item
    from reprise.quarantine import Quarantine


@dataclass(slots=True, kw_only=True)
class ReadTally:
    """The counts of one object."""

    name: str
    compression: str | None = None
    """Firehose's name of what the object is compressed with, besides gzip."""
    account: Account = field(default_factory=Account)
    records: int = 0
    invalid: int = 0
    """Capture lines that are cut, altered or not as they should be."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Damage and invalid records, by reason."""

    def take(self, position: int, item: Item, quarantine: Quarantine | None) -> str | None:
        """Count an item; return its message if it is a sound record."""
        if isinstance(item, Damage):
            self.reasons[item.reason] += 1
            if quarantine is not None:
                quarantine.add_damage(position, item)
            return None
        if isinstance(item, Control):
            return None
        message = item.message if isinstance(item, LogEvent) else item.text
        try:
            record = decode_line(message)
            if record is not None and record.payload.claim_check is None:
                unpack(record.payload.whole())
        except (BadRecordError, PayloadError) as error:
            reason = error.reason if isinstance(error, BadRecordError) else "payload_mismatch"
            self.invalid += 1
            self.reasons[reason] += 1
            if quarantine is not None:
                data = message.encode("utf-8", "surrogatepass")
                quarantine.add(position, reason, str(error), data)
            return None
        if record is None:
            return None
        self.records += 1
        return message

    @property
    def is_sound(self) -> bool:
        """Tell whether everything could be read and is accounted for."""
        return not self.account.damages and not self.invalid and self.account.is_complete

    def document(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        account = self.account
        lines = account.events + account.foreign
        own = account.layer(0)
        return {
            "object": self.name,
            "compression": self.compression,
            "records": self.records,
            "invalid_records": self.invalid,
            "foreign_lines": lines - self.records - self.invalid,
            "control_messages": account.controls,
            "events": account.events,
            "messages_without_envelope": account.foreign,
            "members": account.members,
            "layers": account.gzip_layers,
            "damage": account.damages,
            "damaged_bytes": own.damaged_bytes,
            "bytes_in": own.bytes_in,
            "bytes_accounted": own.accounted_bytes,
            "is_complete": account.is_complete,
            "reasons": dict(self.reasons),
            "by_layer": [
                {
                    "bytes_in": layer.bytes_in,
                    "members": layer.members,
                    "member_bytes": layer.member_bytes,
                    "text_bytes": layer.text_bytes,
                    "blank_bytes": layer.blank_bytes,
                    "damaged_bytes": layer.damaged_bytes,
                }
                for layer in account.layers
            ],
        }


def event_fields(item: LogEvent | UnknownLine) -> dict[str, Any]:
    """Return a log event as `--events` prints it: the message alone where there is no more."""
    if isinstance(item, UnknownLine):
        return {"message": item.text}
    return {
        "log_group": item.log_group,
        "log_stream": item.log_stream,
        "id": item.id,
        "timestamp": item.timestamp_ms,
        "message": item.message,
    }
