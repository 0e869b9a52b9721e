"""Decode a capture line by type, without the keys: what it says, not whether to trust it.

Every field is typed and checked, the payload's text left as JSON: its quotes are escaped in the line, and
undoing that takes as long as all other fields together. Most who read lines do not look at the payload:
counting, filtering and searching need its size and digest.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec

from reprise.call.outcome import Outcome
from reprise.call.payload import ClaimCheck, Payload
from reprise.call.target import Target
from reprise.capturing.record import EVENT_NAME, SCHEMA_VERSION, Mac, Source
from reprise.capturing.wire import (
    OUR_PREFIX,
    check_version,
    decode_record,
    load_document,
    may_be_ours,
)
from reprise.instant import parse_instant

QUOTE: Final = (0x22,)
_NULL: Final = (0x6E,)
first_byte: Final = struct.Struct("B").unpack_from
_TEXT: Final = msgspec.json.Decoder(str | None)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339, with any offset; rounded to microseconds. Takes half of what text and `fromisoformat` take."""


class LoggedPayload(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, rename={"inline_json": "inline"}
):
    """A payload as `Payload`, its text still escaped."""

    inline_json: msgspec.Raw = msgspec.Raw(b"null")
    """A JSON string that is known to be sound, or `null`."""
    gzip_base64: str | None = None
    claim_check: ClaimCheck | None = None
    size_bytes: int
    sha256: str

    @property
    def inline(self) -> str | None:
        """Return the payload's text, exactly as it was logged."""
        text: str | None = _TEXT.decode(self.inline_json)
        return text

    def whole(self) -> Payload:
        """Return the payload with its text, for `reprise.call.payload.unpack`."""
        return Payload(
            inline=self.inline,
            gzip_base64=self.gzip_base64,
            claim_check=self.claim_check,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
        )


class LoggedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A captured call as `Record` has it, schema version 1; only the payload differs."""

    reprise: Literal[1] = 1
    event: Literal["invocation.captured"] = "invocation.captured"
    level: Literal["ERROR"] = "ERROR"
    id: str
    captured_at: Instant
    source: Source
    target: Target
    payload: LoggedPayload
    client_context: str | None = None
    outcome: Outcome
    not_after: Instant | None = None
    trace: str | None = None
    idempotency_key: str | msgspec.UnsetType | None = msgspec.UNSET
    scope: str | msgspec.UnsetType | None = msgspec.UNSET
    edits: str | msgspec.UnsetType | None = msgspec.UNSET
    mac: Mac | None = None


def is_sound(record: LoggedRecord) -> bool:
    """Tell whether a record whose types are right has the usual values, too: no offset but UTC, one payload.

    False calls for a closer look. One call for all rules: a `__post_init__` of each part takes as long as
    decoding half of the line.
    """
    payload = record.payload
    inline = first_byte(payload.inline_json)
    if payload.gzip_base64 is None and payload.claim_check is None:
        if inline != QUOTE:
            return False
    elif inline != _NULL or (payload.gzip_base64 is not None and payload.claim_check is not None):
        return False
    return record.captured_at.tzinfo is UTC and (
        record.not_after is None or record.not_after.tzinfo is UTC
    )


_WRITTEN: Final = f'{OUR_PREFIX}{SCHEMA_VERSION},"event":"{EVENT_NAME}",'
"""How our own writer begins a line; the struct alone would take a line without these keys."""
DECODER: Final = msgspec.json.Decoder(LoggedRecord)
_decode: Final = DECODER.decode


def decode_line(message: str) -> LoggedRecord | None:
    """Return the record that a log line holds, or None if the line is no capture line.

    Nothing is authenticated: that is `reprise.capturing.line.read_line`.

    Raises:
        BadRecordError: `truncated`, `unknown_version` or `invalid_record`.
    """
    if message.startswith(_WRITTEN):
        try:
            record = _decode(message)
            # Spelt out for the usual record: a call takes as long as all of its checks.
            payload = record.payload
            if (
                record.captured_at.tzinfo is UTC
                and record.not_after is None
                and payload.gzip_base64 is None
                and payload.claim_check is None
                and first_byte(payload.inline_json) == QUOTE
            ) or is_sound(record):
                return record
        except (ValueError, RecursionError):
            pass
        return _decode_slowly(message)
    return _decode_slowly(message) if may_be_ours(message) else None


def _decode_slowly(message: str) -> LoggedRecord | None:
    """Give what the fast decoder refuses one lenient try: NaN and lone surrogates in other fields."""
    document = load_document(message)
    if document is None:
        return None
    check_version(document)
    record = decode_record(document)
    fields = msgspec.to_builtins(record)
    for name in ("captured_at", "not_after"):
        # Spelt as msgspec reads it: ISO 8601 has spellings that RFC 3339 has not.
        if fields[name] is not None:
            fields[name] = parse_instant(fields[name])
    return _decode(msgspec.json.encode(fields))
