"""Decode a capture line, without the keys: what it says, not whether to trust it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from reprise.call.reply_to import ReplyTo
from reprise.capturing.record import EVENT_NAME, SCHEMA_VERSION, Record
from reprise.errors import BadRecordError
from reprise.instant import parse_instant

OUR_PREFIX: Final = '{"reprise":'
_ENDS: Final = ("}", " ", "\n", "\r", "\t")


def may_be_ours(message: str) -> bool:
    """Tell quickly whether a log line can be a capture line, whole or cut.

    A line whose event has another name cannot, unless an escape hides that name.
    """
    return EVENT_NAME in message or "\\u" in message or message.lstrip().startswith(OUR_PREFIX)


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
    if isinstance(record.reply_to, ReplyTo):
        record.reply_to.said()
