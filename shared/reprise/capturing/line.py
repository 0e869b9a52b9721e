"""Write a record as one signed log line, and read a log line back into a trusted record.

A record is accepted if a source signed it that may sign for its target. That is checked where a line is read,
and again before a target is invoked: a queue is trusted with nothing. The decorator's mark, by which a replay
is not captured twice, stands in the record's client context, which every replay carries unaltered.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.payload import unpack
from reprise.call.target import id_of, is_allowed, is_id_without_key, is_name
from reprise.call.target_type import FUNCTION, TargetType, type_of
from reprise.capturing.signature import LEGACY, authenticate, split_key_id
from reprise.capturing.wire import check_version, decode_record, load_document, may_be_ours
from reprise.errors import BadRecordError, PayloadError

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.capturing.signature import MacKeys
    from reprise.ports import Keyring

DECORATOR: Final = "decorator"
"""`Record.source.name` of lines that a target decorated with 0.1.0 wrote."""
_LEGACY_NAMES: Final = frozenset({"invoker", "runner", "library", DECORATOR})
_ANY_FUNCTION: Final = "*"


def sign_record(record: Record, keys: MacKeys) -> Record:
    """Return a record as signed by these keys, of the source that it names, whatever mac it bears."""
    return msgspec.structs.replace(record, mac=keys.sign(_content(record)))


def check_record(record: Record, keyring: Keyring) -> None:
    """Accept an authentic record, for a target that its source may sign for.

    What a log tool adds to a line is none of the record's own fields: it is covered by no mac, and changes
    nothing of what is replayed.

    Raises:
        BadRecordError: `bad_mac`, or `target_not_allowed`.
        StoreError: If the keys cannot be had now.
    """
    keys = authenticate(_content(record), record.mac, keyring)
    name = record.source.name
    if name not in _LEGACY_NAMES if keys.source == LEGACY else name != keys.source:
        raise BadRecordError("bad_mac", f"signed by source {keys.source!r} in the name of {name!r}")
    if not may_sign(keys, record.target.function):
        raise BadRecordError(
            "target_not_allowed",
            f"source {keys.source!r} may not sign for {record.target.function!r}: "
            "see `targets` in its secret",
        )


def may_sign(keys: MacKeys, target: str) -> bool:
    """Tell whether a source may sign for a target, as far as its own list goes."""
    listed = tuple(entry for entry in keys.targets if entry != _ANY_FUNCTION)
    is_any = len(listed) < len(keys.targets) and FUNCTION.arn.fullmatch(target) is not None
    return is_any or is_allowed(target, listed)


def _content(record: Record) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(record)
    del content["mac"]
    return content


_MARK: Final = "reprise_call_id"


def marked_context(request_id: str) -> str:
    """Return the client context of a call that its own target captured.

    Args:
        request_id: Of the invocation that failed.
    """
    text = json.dumps({"custom": {_MARK: request_id}}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode("ascii")


def is_captured_by_target(record: Record) -> bool:
    """Tell whether a decorated target captured the call itself: its caller was answered with the error."""
    return _is_unmarked(record) or _has_mark(record.client_context)


def context_for_replay(record: Record) -> str | None:
    """Return the client context that a replay carries: its caller's, unaltered.

    Targets that were decorated with 0.1.0 write no mark: theirs is made here.
    """
    return marked_context(record.id) if _is_unmarked(record) else record.client_context


def is_marked(context: object) -> bool:
    """Tell whether an invocation is a replay of a call that its own target captured."""
    custom = getattr(getattr(context, "client_context", None), "custom", None)
    return isinstance(custom, dict) and _MARK in custom


def _is_unmarked(record: Record) -> bool:
    source, _ = split_key_id(record.mac.key_id if record.mac is not None else "")
    return source == LEGACY and record.source.name == DECORATOR


def _has_mark(client_context: str | None) -> bool:
    try:
        document = json.loads(base64.b64decode(client_context or "", validate=True))
    except (ValueError, RecursionError):
        return False
    custom = document.get("custom") if isinstance(document, dict) else None
    return isinstance(custom, dict) and _MARK in custom


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


_MAX_RECORD_BYTES: Final = 2 * MAX_LINE_BYTES
"""Longer than any writer of ours makes one, and far below the 1 MiB of SQS's messages."""
_MAX_INSTANT_CHARS: Final = 64
"""A row holds it twice."""
_DIGEST_CHARS: Final = 64


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
    if document is None:
        return None
    record = read_document(document, trusted)
    if len(message) > MAX_LINE_BYTES or not message.isascii():
        # What a log tool added goes no further; what the record holds goes to a queue, as ASCII.
        size_bytes = len(json.dumps(msgspec.to_builtins(record), separators=(",", ":")))
        if size_bytes > _MAX_RECORD_BYTES:
            raise BadRecordError(
                "invalid_record", f"record of {size_bytes} bytes: over {_MAX_RECORD_BYTES}"
            )
    return record


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
    # A row that DynamoDB refuses would keep all calls of its object waiting.
    if len(record.captured_at) > _MAX_INSTANT_CHARS:
        raise BadRecordError("invalid_record", "captured_at has digits without end")
    if len(record.payload.sha256) != _DIGEST_CHARS:
        raise BadRecordError("payload_mismatch", "payload.sha256 is no SHA-256")
    if record.payload.claim_check is None:
        try:
            unpack(record.payload)
        except PayloadError as error:
            raise BadRecordError("payload_mismatch", str(error)) from error
    return record
