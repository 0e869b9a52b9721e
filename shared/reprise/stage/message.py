"""The replay message: one captured call on its way through the replay queue.

Its record bears the MAC of whoever captured it, and what the replayer adds to it bears the pipeline's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.errors import BadRecordError
from reprise.ledger.states import LedgerEvent  # noqa: TC001 - msgspec reads the annotation at run time
from reprise.record.authentic import check_record
from reprise.record.decode import decode_record
from reprise.record.mac import authenticate_own
from reprise.record.record import Mac, Record  # noqa: TC001 - as above

if TYPE_CHECKING:
    from reprise.ports import Keyring
    from reprise.record.mac import MacKeys

_DOMAIN: Final = "reprise.settlement.1"


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended that the ledger could not be told of at the time."""

    owner: str
    """Who held the lease."""
    event: LedgerEvent
    changes: dict[str, Any]
    mac: Mac | None = None


class ReplayMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One captured call, and the object that it came in."""

    record: Record
    object: str | None = None
    """S3 URL of the capture object."""
    settlement: Settlement | None = None
    """Set when only the ledger is owed: the call is not to be invoked."""


def write_message(message: ReplayMessage) -> str:
    """Return a message's body: ASCII, because SQS refuses some of Unicode's characters."""
    return json.dumps(msgspec.to_builtins(message), separators=(",", ":"))


def with_settlement(message: ReplayMessage, owed: Settlement, keys: MacKeys) -> ReplayMessage:
    """Return a message that tells only the ledger, as signed by the pipeline's keys."""
    mac = keys.sign(_content(message, owed), _DOMAIN)
    return msgspec.structs.replace(message, settlement=msgspec.structs.replace(owed, mac=mac))


def read_authentic(body: str, keyring: Keyring) -> ReplayMessage:
    """Return the message of a body, if all of it is authentic.

    Raises:
        BadRecordError: `invalid_record`, naming the field; `bad_mac`; or `target_not_allowed`, if its source
            may not sign for its target.
        StoreError: If the keys cannot be had now.
    """
    message = read_message(body)
    check_record(message.record, keyring)
    owed = message.settlement
    if owed is not None:
        authenticate_own(_content(message, owed), owed.mac, keyring, _DOMAIN)
    return message


def read_message(body: str) -> ReplayMessage:
    """Return the message of a body, authentic or not.

    Raises:
        BadRecordError: `invalid_record`, naming the field.
    """
    try:
        document = json.loads(body)
        message = msgspec.convert(document, ReplayMessage)
    except (ValueError, RecursionError) as error:
        raise BadRecordError("invalid_record", f"replay message: {error}") from error
    decode_record(document["record"])
    return message


def _content(message: ReplayMessage, owed: Settlement) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(owed)
    del content["mac"]
    return content | {"id": message.record.id, "object": message.object}
