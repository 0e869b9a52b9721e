"""What the package asks of a type of target, and the type `lambda`: functions, invoked synchronously.

Which types there are is data: `reprise.wiring.TARGET_TYPES`. A new one is a file that holds a `TargetType`,
and its place in that table; nothing else asks what a target is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.call.request import other_spelling, read_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reprise.call.request import CallRequest
    from reprise.capturing.record import Record
    from reprise.retry.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureEvents:
    """How AWS tells of such targets' own failures, which are replayed as captured calls are."""

    prefix: str
    """Where the events' own stream writes, in the stack's bucket; nothing else may write there."""
    read: Callable[[str, str, tuple[str, ...]], Record | None]
    """Return the record of an event's text, for an account and the allowed targets; None if it is none that
    we act on; raise BadRecordError."""
    attempts: Callable[[Record], int | None]
    """Return how many attempts were spent before such a record; None if it is a call like any other."""
    describe: Callable[[Record], tuple[str, str] | None]
    """Return the name of what failed, and why, for people; None if the record is of a call like any other."""
    instruct: Callable[[bytes, Policy], bytes]
    """Return the payload of such a record with what its target's policy says of another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetType:
    """One type of target."""

    name: str
    """As people say it."""
    arn: re.Pattern[str]
    """What the ARN of such a target looks like, whole."""
    marker: str
    """The field by which a job's `call` shows that it is meant for this type."""
    read_call: Callable[[Mapping[str, object], tuple[str, ...]], CallRequest]
    """Return the call that a document asks for, of one of the allowed ARNs; raise BadRequestError."""
    adapter: str
    """What makes an invoker of such targets, as `module:function`, given clients and the longest call in
    seconds: a name, since the core loads no AWS."""
    mark: Callable[[CallRequest, str], CallRequest] | None = None
    """Write a scheduled job's name into what a call of it begins; None unless that goes on by itself, by the
    id in the call's reply."""
    failures: FailureEvents | None = None

    def is_meant(self, call: Mapping[str, object]) -> bool:
        """Tell whether a job's call is meant for this type."""
        return self.marker in call or other_spelling(self.marker) in call


def type_of(target: str, types: Iterable[TargetType]) -> TargetType | None:
    """Return the type that an ARN is of; None if it is of none of them."""
    return next((each for each in types if each.arn.fullmatch(target)), None)


def failure_events(types: Iterable[TargetType]) -> tuple[FailureEvents, ...]:
    """Return what of the types there is to be read of their targets' own failures."""
    return tuple(each.failures for each in types if each.failures is not None)


def _read(document: Mapping[str, object], allowed: tuple[str, ...]) -> CallRequest:
    return read_call(dict(document), allowed)


FUNCTION: Final = TargetType(
    name="lambda",
    arn=re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,140}"),
    marker="FunctionName",
    read_call=_read,
    adapter="reprise.aws.functions:connect",
)
