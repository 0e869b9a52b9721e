"""Make a new call of a captured one: the operators sign it, and answer for that it may run again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from reprise.capturing.line import context_for_replay, may_sign, sign_record
from reprise.capturing.record import Source
from reprise.capturing.signature import OPERATOR
from reprise.errors import BadRecordError
from reprise.instant import format_instant
from reprise.ledger import REDRIVE_KEEPS_S, Row, new_row
from reprise.version import __version__
from reprise_cli.replay.window import again_id

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.call.target import Target
    from reprise.capturing.record import Record
    from reprise.capturing.signature import MacKeys

_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Another life for captured calls."""

    job_id: str
    keys: MacKeys
    """The operators'."""
    into: Target | None = None

    def __call__(self, record: Record) -> Record:
        """Return a new call with the payload of a captured one.

        It has no key of the caller's, whose effect was named by it once, and tells no caller its result.

        Raises:
            BadRecordError: `target_not_allowed`, if operators may not sign for its target.
        """
        target = self.into or record.target
        if target.function == record.target.function:
            # Another version or alias of it isolates its tenants, too.
            target = msgspec.structs.replace(target, tenant_id=record.target.tenant_id)
        if not may_sign(self.keys, target.function):
            raise BadRecordError(
                "target_not_allowed", f"operators may not sign for {target.function!r}"
            )
        return sign_record(
            msgspec.structs.replace(
                record,
                id=again_id(record.id, self.job_id),
                source=Source(name=OPERATOR, version=__version__),
                target=target,
                client_context=context_for_replay(record),
                trace=None,
                idempotency_key=msgspec.UNSET,
                scope=msgspec.UNSET,
                reply_to=msgspec.UNSET,
            ),
            self.keys,
        )


def row_of(record: Record, url: str, now: datetime) -> Row:
    """Return the first row of a new call: its age counts from now, as after a redrive.

    That it may have run before is what was asked for.
    """
    row = new_row(record, url, now, REDRIVE_KEEPS_S // _DAY_S)
    return replace(row, opened_at=format_instant(now), may_have_run=False)
