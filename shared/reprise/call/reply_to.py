"""Where the late result of a call is to go: what a caller may ask for, and what a stack allows."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from reprise.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_QUEUE_ARN: Final = re.compile(r"arn:[a-z-]+:sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]{1,80})")
_QUEUE_PATH: Final = re.compile(r"/([0-9]{12})/([A-Za-z0-9_-]{1,80})")
_QUEUE_HOST: Final = re.compile(r"sqs\.([a-z0-9-]+)\.")
_STEPS: Final = re.compile(r"(^|/)(\.|%2e){1,2}(;|%3b|/|$)|%(2f|5c|25|00)", re.IGNORECASE)
"""In a path: what leads out of a listed folder, for a server that decodes before it looks, does so twice, or
leaves out a segment's parameters (RFC 3986, section 3.3)."""
_OWN_QUEUES: Final = ("capture", "capture-dlq", "replay", "dead-letter", "replies")
"""Queues of the pipeline, as their names end: what is sent there is no call, and no letter."""
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
        raise _bad(kind, f"must have 1 to {_MAX_CHARS[kind]} characters")
    if kind != "event" and not _PRINTABLE.fullmatch(str(value)):
        raise _bad(kind, "must be printable ASCII without blanks")
    if kind == "event" and not str(value).isprintable():
        raise _bad(kind, "must be true, or a line of text")
    if kind == "callback_id" and not _CALLBACK.fullmatch(str(value)):
        raise _bad(kind, "is no id of a callback")
    if kind == "queue":
        _queue_name(str(value))
    if kind == "webhook":
        _parts_of(str(value))
    return reply_to


class Destinations(msgspec.Struct, frozen=True, kw_only=True):
    """What a stack allows, as its add-on replies says; each list as text, separated by commas."""

    stack: str = ""
    """Name of the root stack."""
    queues: str = ""
    """ARNs of SQS queues."""
    events: bool | str = False
    """Whether events may be asked for; the template writes it as text."""
    state_machines: str = ""
    """ARNs of state machines and activities whose tasks may be answered; IAM tells which token is whose."""
    functions: str = ""
    """ARNs of functions whose durable executions may be answered; IAM likewise."""
    webhooks: str = ""
    """Beginnings of addresses, such as `https://hooks.example.com/reprise/`."""

    def resolve(self, reply_to: ReplyTo) -> str:
        """Return where a reply goes: the queue's ARN as it is allowed, the address, or the kind.

        Raises:
            BadRequestError: If the stack does not allow it.
        """
        kind, value = reply_to.kind, str(reply_to.value)
        match kind:
            case "queue":
                return self._queue(value)
            case "webhook":
                asked = _parts_of(value)
                if any(_begins(asked, listed) for listed in _addresses(self.webhooks)):
                    return value
                raise _forbidden(kind, "webhook that ReplyWebhooks", "begin of the address")
            case "event":
                is_allowed = self.events in {True, "true"}
            case "task_token":
                is_allowed = bool(self.state_machines)
            case _:
                is_allowed = bool(self.functions)
        if not is_allowed:
            raise _forbidden(kind, f"{kind} that {_PARAMETERS[kind]}", "destination")
        return kind

    def allows_address(self, host: str) -> bool:
        """Tell whether a host is listed by its own address: such a one may be private.

        A name is not, though every host that is asked is listed: it means what its DNS says.
        """
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(parts.hostname == host for parts in _addresses(self.webhooks))

    def _queue(self, value: str) -> str:
        region, account, name = _queue_name(value)
        if self.stack and name in {f"{self.stack}-{each}" for each in _OWN_QUEUES}:
            raise _bad("queue", "is one of the stack's own, which hold no late results")
        for arn in _listed(self.queues):
            found = _QUEUE_ARN.fullmatch(arn)
            if found is None or found.groups()[1:] != (account, name):
                continue
            if region in {None, found[1]}:
                return arn
        raise _forbidden("queue", "queue that ReplyQueues", "ARN")


_PARAMETERS: Final = {
    "event": "ReplyEvents",
    "task_token": "ReplyStateMachines",
    "callback_id": "ReplyFunctions",
}


def read_destinations(text: str) -> Destinations:
    """Return what the add-on replies wrote.

    Raises:
        ValueError: If it is no such document.
    """
    return msgspec.json.decode(text, type=Destinations)


def _queue_name(value: str) -> tuple[str | None, str, str]:
    """Return region, account and name of a queue; no region where its URL does not say."""
    arn = _QUEUE_ARN.fullmatch(value)
    if arn is not None:
        return arn[1], arn[2], arn[3]
    try:
        parts = urlsplit(value)
        path = _QUEUE_PATH.fullmatch(parts.path)
    except ValueError:
        path = None
    if path is None or parts.scheme not in {"http", "https"}:
        raise _bad("queue", "is neither the ARN nor the URL of a standard SQS queue")
    host = _QUEUE_HOST.match(parts.hostname or "")
    return (host[1] if host else None), path[1], path[2]


def _parts_of(url: str) -> SplitResult:
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
        raise _bad("webhook", "is no plain address that begins with https://")
    return parts


def _begins(asked: SplitResult, listed: SplitResult) -> bool:
    """Tell whether an address begins as a listed one does, by its parts; the path by whole segments."""
    if (asked.scheme, asked.netloc.lower()) != (listed.scheme, listed.netloc.lower()):
        return False
    folder = listed.path.rstrip("/")
    return asked.path == listed.path or asked.path.startswith(f"{folder}/")


def _addresses(webhooks: str) -> Iterator[SplitResult]:
    """Yield the listed addresses, but for what is none: that allows nothing, and shuts out no other."""
    for entry in _listed(webhooks):
        with suppress(BadRequestError):
            yield _parts_of(entry)


def _listed(text: str) -> list[str]:
    return [entry for entry in text.split(",") if entry]


def _bad(kind: str, message: str) -> BadRequestError:
    return BadRequestError(f"{FIELD}.{kind}", message, _NEXT_STEP)


def _forbidden(kind: str, what: str, how: str) -> BadRequestError:
    parameter = what.rpartition(" ")[2]
    return BadRequestError(
        f"{FIELD}.{kind}",
        f"is no {what} of the add-on replies lists",
        f"Add the {how} to {parameter}, or ask for another destination",
    )


def _without_path(message: str) -> str:
    return message.partition(" - at `")[0]
