"""A capture line as the reader decodes it: every field typed and checked, the payload's text left as JSON.

A payload's quotes are escaped in the line, and undoing that takes as long as all other fields together.
Most who read lines do not look at the payload: counting, filtering and searching need its size and digest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from reprise.call.payload import (  # noqa: TC001 - msgspec reads the annotation at run time
    ClaimCheck,
    Payload,
)
from reprise.call.target import Target  # noqa: TC001 - as above
from reprise.instant import parse_instant
from reprise.outcome.outcome import Outcome  # noqa: TC001 - as above
from reprise.record.record import Mac, Source  # noqa: TC001 - as above

_UNSET: Final = (b"", b"null")


class LoggedPayload(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, rename={"inline_json": "inline"}
):
    """A payload as `Payload`, its text still escaped."""

    inline_json: msgspec.Raw = msgspec.Raw()  # noqa: RUF009 - immutable
    """A JSON string that is known to be sound, `null`, or nothing."""
    gzip_base64: str | None = None
    claim_check: ClaimCheck | None = None
    size_bytes: int
    sha256: str

    @property
    def inline(self) -> str | None:
        """Return the payload's text, exactly as it was logged."""
        text = bytes(self.inline_json)
        return None if text in _UNSET else msgspec.json.decode(text, type=str)

    def whole(self) -> Payload:
        """Return the payload with its text, for `reprise.call.payload.unpack`."""
        return Payload(
            inline=self.inline,
            gzip_base64=self.gzip_base64,
            claim_check=self.claim_check,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
        )


class LoggedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A captured call as `Record` has it, schema version 1; only the payload differs."""

    reprise: Literal[1] = 1
    event: Literal["invocation.captured"] = "invocation.captured"
    level: Literal["ERROR"] = "ERROR"
    id: str
    captured_at: str
    source: Source
    target: Target
    payload: LoggedPayload
    client_context: str | None = None
    outcome: Outcome
    not_after: str | None = None
    trace: str | None = None
    mac: Mac | None = None


def check_values(record: LoggedRecord) -> None:
    """Accept a record whose types are right if its instants and its payload are, too.

    One call for all rules: a `__post_init__` of each part costs as much as decoding half of the line.

    Raises:
        ValueError: If an instant is none, or the payload travels in no way or in two.
    """
    payload = record.payload
    inline = bytes(payload.inline_json)
    if payload.gzip_base64 is None and payload.claim_check is None:
        is_sound = inline[:1] == b'"'
    else:
        is_sound = inline in _UNSET and (
            payload.gzip_base64 is None or payload.claim_check is None
        )
    if not is_sound:
        msg = "exactly one of inline, gzip_base64 and claim_check must be set"
        raise ValueError(msg)
    if datetime.fromisoformat(record.captured_at).tzinfo is not UTC:
        # As our writer never writes it.
        parse_instant(record.captured_at)
    if record.not_after is not None:
        parse_instant(record.not_after)
