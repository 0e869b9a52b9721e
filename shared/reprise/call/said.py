"""Read what a caller says of its call beside the payload: by headers, or in the client context.

Headers are for who can set them, and go no further; the client context is the caller's bytes, and is sent on.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise.call.reply_to import ReplyTo, read_reply_to
from reprise.call.target import check_name
from reprise.errors import BadRequestError
from reprise.instant import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final = {
    "idempotency_key": "X-Reprise-Idempotency-Key",
    "scope": "X-Reprise-Scope",
    "not_after": "X-Reprise-Not-After",
}
"""Headers of a caller, by what they say."""
_CUSTOM: Final = "ClientContext.custom.reprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a caller said of its call."""

    idempotency_key: str | None = None
    scope: str | None = None
    not_after: str | None = None
    """As `format_instant` writes it."""
    reply_to: ReplyTo | None = None
    """Where the late result is to go; said in the client context only, since it is no text."""


def read_said(headers: Mapping[str, str], client_context: str | None) -> Said:
    """Return what a caller said; a header comes before the client context.

    Args:
        headers: Those of `HEADERS` that the request has, by what they say.
        client_context: The request's, if it has one; one that cannot be read is Lambda's to refuse.

    Raises:
        BadRequestError: Naming the header, or the field of the client context, and the next step.
    """
    custom = _custom(client_context)
    found: dict[str, Any] = {"reply_to": _reply_to(custom)}
    for name, header in HEADERS.items():
        text, field = headers.get(name), header
        if text is None:
            text, field = custom.get(name), f"{_CUSTOM}.{name}"
        found[name] = None if text is None else _checked(name, field, text)
    return Said(**found)


def _custom(client_context: str | None) -> dict[str, Any]:
    """Return `custom.reprise` of a client context."""
    if client_context is None:
        return {}
    try:
        found = json.loads(base64.b64decode(client_context, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    for name in ("custom", "reprise"):
        found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequestError(
            _CUSTOM,
            "must be an object",
            'Send {"custom": {"reprise": {"idempotency_key": "..."}}}, base64-encoded',
        )
    return found


def _reply_to(custom: Mapping[str, Any]) -> ReplyTo | None:
    try:
        return read_reply_to(custom.get("reply_to"))
    except BadRequestError as error:
        field = f"{_CUSTOM}.reply_to"
        raise BadRequestError(field, error.message, error.next_step) from error


def _checked(name: str, field: str, text: object) -> str:
    if not isinstance(text, str):
        raise BadRequestError(field, f"is of type {type(text).__name__}", "Send text")
    if name != "not_after":
        check_name(field, text)
        return text
    try:
        return format_instant(parse_instant(text))
    except ValueError as error:
        raise BadRequestError(
            field, "is no instant", "Send ISO 8601 with a time zone, such as 2026-01-31T12:00:00Z"
        ) from error
