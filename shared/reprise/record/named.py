"""Tell whether a record has the id that its call must have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reprise.call.id import id_of, is_id_without_key, is_name
from reprise.errors import BadRecordError

if TYPE_CHECKING:
    from reprise.record.record import Record


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
