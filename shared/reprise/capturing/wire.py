"""Decode a capture line by type, without the keys: what it says, not whether to trust it.

Every field is typed and checked, the payload's text left as JSON: its quotes are escaped in the line, and
undoing that takes as long as all other fields together. Most who read lines do not look at the payload:
counting, filtering and searching need its size and digest.
"""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from reprise.call.outcome import Outcome  # noqa: TC001 - as above
from reprise.call.payload import ClaimCheck, Payload
from reprise.call.target import Target  # noqa: TC001 - as above
from reprise.capturing.record import (
    EVENT_NAME,
    SCHEMA_VERSION,
    Mac,
    Record,
    Source,
)
from reprise.errors import BadRecordError
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


OUR_PREFIX: Final = '{"reprise":'
_WRITTEN: Final = f'{OUR_PREFIX}{SCHEMA_VERSION},"event":"{EVENT_NAME}",'
"""How our own writer begins a line; the struct alone would take a line without these keys."""
_ENDS: Final = ("}", " ", "\n", "\r", "\t")
DECODER: Final = msgspec.json.Decoder(LoggedRecord)
_decode: Final = DECODER.decode


def may_be_ours(message: str) -> bool:
    """Tell quickly whether a log line can be a capture line, whole or cut.

    A line whose event has another name cannot, unless an escape hides that name.
    """
    return EVENT_NAME in message or "\\u" in message or message.lstrip().startswith(OUR_PREFIX)


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


def load_document(message: str) -> dict[str, Any] | None:
    """Return a log line's JSON, or None if the line is no capture line.

    Raises:
        BadRecordError: `truncated`.
    """
    if message.startswith(OUR_PREFIX) and not message.endswith(_ENDS):
        # Cut lines are what mostly gets here: json would read all of them first.
        raise BadRecordError("truncated", "capture line is not whole JSON: it ends before its end")
    try:
        document = json.loads(message)
    except (ValueError, RecursionError) as error:
        if message.lstrip().startswith(OUR_PREFIX):
            raise BadRecordError("truncated", f"capture line is not whole JSON: {error}") from error
        return None
    if not isinstance(document, dict) or document.get("event") != EVENT_NAME:
        return None
    return document


def check_version(document: dict[str, Any]) -> None:
    """Accept lines of the schema that this package reads.

    Raises:
        BadRecordError: `unknown_version`.
    """
    version = document.get("reprise")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BadRecordError(
            "unknown_version",
            f"schema version is {version!r}, this stack reads {SCHEMA_VERSION}: upgrade the stack",
        )


def decode_record(document: dict[str, Any]) -> Record:
    """Return a record from its decoded JSON, checked by type.

    Raises:
        BadRecordError: `invalid_record`, naming the field.
    """
    try:
        record = msgspec.convert(document, Record)
        _check(record)
        # The one thing that JSON carries and text does not: lone surrogates.
        msgspec.json.encode(record)
    except (ValueError, RecursionError) as error:
        raise BadRecordError("invalid_record", str(error)) from error
    return record


def _check(record: Record) -> None:
    if datetime.fromisoformat(record.captured_at).tzinfo is not UTC:
        # As our writer never writes it.
        parse_instant(record.captured_at)
    if record.not_after is not None:
        parse_instant(record.not_after)
