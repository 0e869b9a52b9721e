"""Where the late result of a call is to go, as its caller may ask."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from reprise.errors import BadRequestError

FIELD: Final = "ReplyTo"
_MAX_CHARS: Final = {
    "queue": 512,
    "event": 256,
    "task_token": 2048,
    "callback_id": 1024,
    "webhook": 2048,
}
"""Of tokens: Step Functions API reference, SendTaskSuccess; Lambda API reference,
SendDurableExecutionCallbackSuccess. The others are ours: a record has room for them."""
_PRINTABLE: Final = re.compile(r"[!-~]+")
_CALLBACK: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
"""Lambda API reference, SendDurableExecutionCallbackSuccess, CallbackId."""
QUEUE_ARN: Final = re.compile(r"arn:[a-z-]+:sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]{1,80})")
"""Of a standard queue: its region, account and name."""
_QUEUE_PATH: Final = re.compile(r"/([0-9]{12})/([A-Za-z0-9_-]{1,80})")
_QUEUE_HOST: Final = re.compile(r"sqs\.([a-z0-9-]+)\.")
_STEPS: Final = re.compile(r"(^|/)(\.|%2e){1,2}(;|%3b|/|$)|%(2f|5c|25|00)", re.IGNORECASE)
"""In a path: what leads out of a listed folder, for a server that decodes before it looks, does so twice, or
leaves out a segment's parameters (RFC 3986, section 3.3)."""
_EXAMPLE: Final = 'Send one of {"queue": "<ARN or URL>"}, {"event": true}, {"task_token": "..."}, '
_NEXT_STEP: Final = _EXAMPLE + '{"callback_id": "..."} and {"webhook": "https://..."}'


class ReplyTo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a late result goes: exactly one of these is set."""

    queue: str | msgspec.UnsetType | None = msgspec.UNSET
    """ARN or URL of an SQS queue."""
    event: bool | str | msgspec.UnsetType | None = msgspec.UNSET
    """True, or a text of the caller's own that the event carries."""
    task_token: str | msgspec.UnsetType | None = msgspec.UNSET
    """Of a Step Functions task that waits for it."""
    callback_id: str | msgspec.UnsetType | None = msgspec.UNSET
    """Of a callback that a durable execution of a Lambda function waits for."""
    webhook: str | msgspec.UnsetType | None = msgspec.UNSET
    """Address that is posted to."""

    @property
    def kind(self) -> str:
        """Return which one is set."""
        return self.said()[0]

    @property
    def value(self) -> str | bool:
        """Return what it says."""
        return self.said()[1]

    def said(self) -> tuple[str, str | bool]:
        """Return what is set, and what it says.

        Raises:
            ValueError: If it is none, or several, or an event that is none.
        """
        said: dict[str, Any] = msgspec.to_builtins(self)
        found = [(kind, value) for kind, value in said.items() if value is not None]
        if len(found) != 1 or found[0][1] is False:
            msg = "exactly one of queue, event, task_token, callback_id and webhook must be set"
            raise ValueError(msg)
        return found[0]


class _Asked(ReplyTo, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As it arrives: a misspelt kind must not pass for none."""


KINDS: Final = ReplyTo.__struct_fields__


def read_reply_to(document: object) -> ReplyTo | None:
    """Return where a caller wants its late result; None if it did not say.

    Raises:
        BadRequestError: If that is no such place, whatever the stack allows. It quotes no token.
    """
    if document is None:
        return None
    try:
        asked = msgspec.to_builtins(msgspec.convert(document, _Asked))
        reply_to = msgspec.convert(asked, ReplyTo)
        kind, value = reply_to.said()
    except ValueError as error:
        raise BadRequestError(FIELD, _without_path(str(error)), _NEXT_STEP) from error
    if isinstance(value, str) and not 1 <= len(value) <= _MAX_CHARS[kind]:
        raise bad_place(kind, f"must have 1 to {_MAX_CHARS[kind]} characters")
    if kind != "event" and not _PRINTABLE.fullmatch(str(value)):
        raise bad_place(kind, "must be printable ASCII without blanks")
    if kind == "event" and not str(value).isprintable():
        raise bad_place(kind, "must be true, or a line of text")
    if kind == "callback_id" and not _CALLBACK.fullmatch(str(value)):
        raise bad_place(kind, "is no id of a callback")
    if kind == "queue":
        queue_parts(str(value))
    if kind == "webhook":
        address_parts(str(value))
    return reply_to


def queue_parts(value: str) -> tuple[str | None, str, str]:
    """Return region, account and name of a queue; no region where its URL does not say."""
    arn = QUEUE_ARN.fullmatch(value)
    if arn is not None:
        return arn[1], arn[2], arn[3]
    try:
        parts = urlsplit(value)
        path = _QUEUE_PATH.fullmatch(parts.path)
    except ValueError:
        path = None
    if path is None or parts.scheme not in {"http", "https"}:
        raise bad_place("queue", "is neither the ARN nor the URL of a standard SQS queue")
    host = _QUEUE_HOST.match(parts.hostname or "")
    return (host[1] if host else None), path[1], path[2]


def address_parts(url: str) -> SplitResult:
    """Return the parts of a webhook's address.

    Raises:
        BadRequestError: If it is none that can be compared with a list: a name of a user, a fragment or a
            step upwards would make another address of it than it seems.
    """
    try:
        parts = urlsplit(url)
        is_plain = parts.hostname is not None and parts.port != 0
    except ValueError:
        is_plain = False
    if (
        not is_plain
        or not _PRINTABLE.fullmatch(url)
        or parts.scheme not in {"https", "http"}
        or "@" in parts.netloc
        or "#" in url
        or "\\" in url
        or _STEPS.search(parts.path)
    ):
        raise bad_place("webhook", "is no plain address that begins with https://")
    return parts


def bad_place(kind: str, message: str) -> BadRequestError:
    """Return the error of a place that is none, by its kind."""
    return BadRequestError(f"{FIELD}.{kind}", message, _NEXT_STEP)


def _without_path(message: str) -> str:
    return message.partition(" - at `")[0]
