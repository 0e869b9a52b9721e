"""The record of a captured call, as it travels from the caller's log to the replayer."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from reprise.call.outcome import Outcome
from reprise.call.payload import Payload
from reprise.call.reply_to import ReplyTo
from reprise.call.target import Target

SCHEMA_VERSION: Final = 1
EVENT_NAME: Final = "invocation.captured"


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who wrote a capture line."""

    name: str
    """The source whose key signed the line: `invoker`, `schedules`, or one of a library user or target."""
    version: str
    """Version of this package."""


class Mac(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The proof that a line was written by a holder of the key."""

    key_id: str
    """Source and key: `<source>/<key>`."""
    value: str
    """Hex HMAC-SHA-256 over the record's own fields, in canonical form."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A captured call, schema version 1.

    The MAC covers every field that is set. A field that a later version adds must be `UNSET` by default: it
    is then left out where nobody set it, and lines of earlier versions stay authentic.
    """

    reprise: Literal[1] = 1
    event: Literal["invocation.captured"] = "invocation.captured"
    level: Literal["ERROR"] = "ERROR"
    id: str
    captured_at: str
    """ISO 8601, UTC, with microseconds."""
    source: Source
    target: Target
    payload: Payload
    client_context: str | None = None
    """As the caller sent it, base64."""
    outcome: Outcome
    not_after: str | None = None
    """ISO 8601 instant after which a replay is of no use."""
    trace: str | None = None
    """X-Ray header of the caller's request."""
    idempotency_key: str | msgspec.UnsetType | None = msgspec.UNSET
    """The caller's own name of the effect; the id is made of it, and checked against it."""
    scope: str | msgspec.UnsetType | None = msgspec.UNSET
    """The caller's own namespace of such names."""
    edits: str | msgspec.UnsetType | None = msgspec.UNSET
    """Hex digest of the captured payload that an operator's replaces; set in no capture line."""
    reply_to: ReplyTo | msgspec.UnsetType | None = msgspec.UNSET
    """Where the caller wants the late result."""
    mac: Mac | None = None
