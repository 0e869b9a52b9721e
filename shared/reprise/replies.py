"""Tell the add-on replies that a call has ended whose caller asked for its late result.

One message in the add-on's queue, and only for such a call. It says which call, not how it ended: the ledger
does. The record in it is the caller's own, signed, so whoever may write to the queue can send nobody's result
anywhere else. It may come more than once.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise import metric
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError, StoreError
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.ports import Meter, Queue

_log = logging.getLogger(__name__)
_NO_ADD_ON: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccessDenied",
        "AccessDeniedException",
        "QueueDoesNotExist",
    }
)
"""What SQS says of a queue that is not there, to those who may use it and to all others."""


def queue_name(stack: str) -> str:
    """Return the name of the queue of a stack's add-on replies."""
    return f"{stack}-replies"


def wants_reply(record: Record) -> bool:
    """Tell whether a call's caller asked for its late result."""
    return record.reply_to is not None and record.reply_to is not msgspec.UNSET


def write_reply(record: Record) -> str:
    """Return the body of a message: ASCII, because SQS refuses some of Unicode's characters."""
    return json.dumps({"record": msgspec.to_builtins(record)}, separators=(",", ":"))


def read_reply(body: str) -> Record:
    """Return the record of a message, authentic or not.

    Raises:
        BadRecordError: `invalid_record`, naming the field.
    """
    try:
        document = json.loads(body)["record"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadRecordError("invalid_record", f"reply: {type(error).__name__}") from error
    return decode_record(document)


class Replies(Protocol):
    """Takes calls that have ended."""

    def tell(self, record: Record) -> None:
        """Tell of a call that the ledger says has ended, if its caller asked for that.

        Raises:
            StoreError: If it must be told again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyQueue:
    """The queue of the add-on."""

    queue: Queue
    meter: Meter

    def tell(self, record: Record) -> None:
        """Tell of a call that the ledger says has ended, if its caller asked for that.

        Raises:
            StoreError: If it must be told again. A stack whose add-on was removed tells nobody: the result is
                in the ledger, as without it.
        """
        if not wants_reply(record):
            return
        try:
            self.queue.send([OutMessage(body=write_reply(record))])
        except StoreError as error:
            if error.code not in _NO_ADD_ON:
                raise
            self.meter.count(metric.REPLIES_FAILED)
            _log.exception("there is no add-on replies", extra={"call_id": record.id})


class _NoReplies:
    def tell(self, record: Record) -> None:
        """Tell nobody."""


NULL_REPLIES: Final = _NoReplies()
"""Tells nobody."""
