"""Sign records, and accept those that a source signed which may sign for their target.

Checked where a line is read, and again before a target is invoked: a queue is trusted with nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.target import is_allowed
from reprise.errors import BadRecordError
from reprise.kind.function import FUNCTION
from reprise.record.mac import LEGACY, authenticate

if TYPE_CHECKING:
    from reprise.ports import Keyring
    from reprise.record.mac import MacKeys
    from reprise.record.record import Record

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
