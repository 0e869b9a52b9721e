"""What the package asks of a type of target, and the type `lambda`: functions, invoked synchronously."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.call.request import other_spelling, read_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise.aws.clients import Clients
    from reprise.call.request import CallRequest
    from reprise.ports import Functions


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of target."""

    name: str
    """As people say it."""
    arn: re.Pattern[str]
    """What the ARN of such a target looks like, whole."""
    marker: str
    """The field by which a job's `call` shows that it is meant for this kind."""
    read_call: Callable[[Mapping[str, object], tuple[str, ...]], CallRequest]
    """Return the call that a document asks for, of one of the allowed ARNs; raise BadRequestError."""
    connect: Callable[[Clients, int], Functions]
    """Return what invokes such targets, given the longest call in seconds."""
    has_concurrency: bool = False
    """Whether Lambda limits how many of it run at once."""

    def is_meant(self, call: Mapping[str, object]) -> bool:
        """Tell whether a job's call is meant for this kind."""
        return self.marker in call or other_spelling(self.marker) in call


def _read(document: Mapping[str, object], allowed: tuple[str, ...]) -> CallRequest:
    return read_call(dict(document), allowed)


def _connect(clients: Clients, call_timeout_s: int) -> Functions:
    # Late: the core knows kinds, and loads no AWS.
    from reprise.aws.functions import LambdaFunctions  # noqa: PLC0415

    return LambdaFunctions(clients.functions(call_timeout_s))


FUNCTION: Final = Kind(
    name="lambda",
    arn=re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,140}"),
    marker="FunctionName",
    read_call=_read,
    connect=_connect,
    has_concurrency=True,
)
