"""Where late results may go: what a stack allows of what callers ask for."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.call.reply_to import FIELD, QUEUE_ARN, address_parts, bad_place, queue_parts
from reprise.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from reprise.call.reply_to import ReplyTo

_OWN_QUEUES: Final = (
    "capture",
    "capture-dlq",
    "replay",
    "dead-letter",
    "letter-jobs",
    "letter-jobs-dlq",
    "replies",
)
"""Queues of the pipeline, as their names end: what is sent there is no call, and no letter."""


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
                asked = address_parts(value)
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
        region, account, name = queue_parts(value)
        if self.stack and name in {f"{self.stack}-{each}" for each in _OWN_QUEUES}:
            raise bad_place("queue", "is one of the stack's own, which hold no late results")
        for arn in _listed(self.queues):
            found = QUEUE_ARN.fullmatch(arn)
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
            yield address_parts(entry)


def _listed(text: str) -> list[str]:
    return [entry for entry in text.split(",") if entry]


def _forbidden(kind: str, what: str, how: str) -> BadRequestError:
    parameter = what.rpartition(" ")[2]
    return BadRequestError(
        f"{FIELD}.{kind}",
        f"is no {what} of the add-on replies lists",
        f"Add the {how} to {parameter}, or ask for another destination",
    )
