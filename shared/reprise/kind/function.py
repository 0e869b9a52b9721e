"""The kind `lambda`: functions, invoked synchronously."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.call.request import read_call
from reprise.kind.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.aws.session import Clients
    from reprise.call.request import CallRequest
    from reprise.ports import Functions


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
)
