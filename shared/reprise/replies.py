"""Tell the add-on replies that a call has ended whose caller asked for its late result.

One message in the add-on's queue, and only for such a call. It says which call, not how it ended: the ledger
does. It bears the pipeline's MAC, by which those who checked the caller's own vouch for it: whoever may write
to the queue can send nobody's result anywhere, and who delivers needs the keys of nobody else. It may come
more than once.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise import metric
from reprise.capturing.record import Mac
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError, StoreError
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.capturing.signature import MacKeys
    from reprise.ports import KeySource, Meter, Queue

_log = logging.getLogger(__name__)
_DOMAIN: Final = "reprise.reply.1"
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


def write_reply(record: Record, keys: MacKeys) -> str:
    """Return the body of a message, as signed by the pipeline's keys.

    ASCII, because SQS refuses some of Unicode's characters.
    """
    content = {"record": msgspec.to_builtins(record)}
    mac = msgspec.to_builtins(keys.sign(content, _DOMAIN))
    return json.dumps({**content, "mac": mac}, separators=(",", ":"))


def read_reply(body: str, keys: MacKeys) -> Record:
    """Return the record of an authentic message.

    Raises:
        BadRecordError: `bad_mac`, or `invalid_record`, naming the field.
    """
    try:
        document = json.loads(body)
        content, mac = {"record": document["record"]}, msgspec.convert(document["mac"], Mac)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadRecordError("invalid_record", f"reply: {type(error).__name__}") from error
    keys.verify(content, mac, _DOMAIN)
    return decode_record(content["record"])


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
    keys: KeySource
    """The pipeline's."""
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
            self.queue.send([OutMessage(body=write_reply(record, self.keys.keys()))])
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
