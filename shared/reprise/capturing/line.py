"""Write a record as one log line, and read a log line back into a trusted record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.id import id_of, is_id_without_key, is_name
from reprise.call.payload import unpack
from reprise.call.target import is_allowed
from reprise.call.target_type import FUNCTION, TargetType, type_of
from reprise.capturing.trust import check_record, sign_record
from reprise.capturing.wire import check_version, decode_record, load_document, may_be_ours
from reprise.errors import BadRecordError, PayloadError

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.capturing.signature import MacKeys
    from reprise.ports import Keyring


def check_id(record: Record) -> None:
    """Accept a record whose id is made of what it carries: no source may name another source's call.

    Raises:
        BadRecordError: `id_mismatch`.
    """
    key, scope = record.idempotency_key, record.scope
    key = None if key is msgspec.UNSET else key
    scope = None if scope is msgspec.UNSET else scope
    if key is None:
        is_right = scope is None and is_id_without_key(record.id, record.target.name)
    else:
        is_right = (
            is_name(key)
            and (scope is None or is_name(scope))
            and record.id == id_of(record.target, source=record.source.name, scope=scope, key=key)
        )
    if not is_right:
        raise BadRecordError(
            "id_mismatch",
            f"id {record.id!r} is not made of the record's target, source, scope and key",
        )


MAX_LINE_BYTES: Final = 200 * 1024
"""Longest line that no log path is known to cut (Lambda's stdout splits at 256 KB; ADR 0002)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What makes a record trustworthy: the keys, and the targets that may be invoked."""

    keys: Keyring
    targets: tuple[str, ...]
    types: tuple[TargetType, ...] = (FUNCTION,)
    """What a target may be."""


def write_line(record: Record, keys: MacKeys) -> str:
    """Return the signed capture line, ASCII, without its newline."""
    document = msgspec.to_builtins(sign_record(record, keys))
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)


def read_line(message: str, trusted: Verifier) -> Record | None:
    """Return the record that a log line holds, or None if the line is not a capture line.

    Raises:
        BadRecordError: With the quarantine reason, if the line is ours and cannot be trusted:
            `truncated`, `unknown_version`, `bad_mac`, `invalid_record`, `target_not_allowed`,
            `id_mismatch` or `payload_mismatch`.
        StoreError: If the keys cannot be had now.
    """
    if not may_be_ours(message):
        return None
    document = load_document(message)
    return None if document is None else read_document(document, trusted)


def read_document(document: dict[str, Any], trusted: Verifier) -> Record:
    """Return the record that a decoded capture line holds.

    Raises:
        BadRecordError, StoreError: As `read_line`.
    """
    check_version(document)
    record = decode_record(document)
    check_record(record, trusted.keys)
    target = record.target.function
    if type_of(target, trusted.types) is None or not is_allowed(target, trusted.targets):
        raise BadRecordError("target_not_allowed", f"{target!r} is not among the stack's Targets")
    check_id(record)
    if record.payload.claim_check is None:
        try:
            unpack(record.payload)
        except PayloadError as error:
            raise BadRecordError("payload_mismatch", str(error)) from error
    return record
