"""Tell from an event's shape who sent it, and by which key: pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.target import is_name
from reprise.doors.sender import OTHER, SENDERS, Sender, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    type _Raw = dict[str, msgspec.Raw]

READS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods whose caller asks for nothing but the reply. Source: RFC 9110, section 9.2.1, "Safe Methods"."""
_KEY_HEADERS: Final = ("x-reprise-idempotency-key", "idempotency-key")
_WHO: Final = re.compile(
    r"account|auth|cert|client-?id|cookie|credential|host|identity|jwt|key|\borg|principal|secret|session"
    r"|subject|tenant|token|user(?!-agent)",
    re.IGNORECASE,
)
"""What is in the name of a header that says who asks, or whom: another's key is another's. No list of them is
whole, and one too many costs its client no more than that a repetition is not known for one."""
_CONTEXT: Final = ("apiId", "authentication", "authorizer", "elb", "identity", "stage")
"""What a gateway or a load balancer itself says of that, in `requestContext`."""
_PASSING: Final = frozenset({"integrationLatency", "sourceIp", "userAgent"})
"""What differs there from try to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What an event says of its sender."""

    sender: Sender
    is_read: bool = False
    """Whether it is an HTTP request that only asks."""
    has_multi_values: bool = False
    """Whether headers come, and go back, as lists."""
    key: str | None = None
    """The client's own name of the effect, in a header."""
    scope: str | None = None
    """With it: what makes two requests the same, whatever a gateway adds to each."""

    @property
    def may_keep(self) -> bool:
        """Tell whether the call may be captured."""
        return self.sender.is_kept and not self.is_read


class _Record(msgspec.Struct, frozen=True, gc=False):
    eventSource: str | None = None  # noqa: N815 - AWS's name


_DECODE: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""The members as they are: what nothing here looks at is passed over, however long."""
_DECODE_BATCH: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_DECODE_RECORDS: Final = msgspec.json.Decoder(list[_Record]).decode
_REQUEST: Final = ("path", "rawPath", "rawQueryString", "cookies", "body")
_QUERY: Final = ("queryStringParameters", "multiValueQueryStringParameters")


def read_sending(event: bytes) -> Sending:
    """Return what an event says of its sender; never raises, for an event may be anything."""
    shape = _shape(event)
    if shape is None:
        return Sending(sender=OTHER)
    members, is_list = _Members(shape), event.lstrip()[:1] == b"["
    sender = next(each for each in SENDERS if _is_of(each, members))
    if is_list and not sender.comes_in_lists:
        return Sending(sender=OTHER)
    if sender.method is None:
        return Sending(sender=sender)
    method = str(members.at(sender.method)).upper()
    headers = _headers(members)
    key = next((each for name in _KEY_HEADERS if (each := _key(headers.get(name, "")))), None)
    return Sending(
        sender=sender,
        is_read=method in READS,
        has_multi_values=isinstance(members.at("multiValueHeaders"), dict),
        key=key,
        scope=None if key is None else _fingerprint(method, shape, members),
    )


def _shape(event: bytes) -> _Raw | None:
    """Return an event's members; the first one's of a list."""
    try:
        if event.lstrip()[:1] == b"[":
            batch = _DECODE_BATCH(event)
            return _DECODE(batch[0]) if batch else None
        return _DECODE(event)
    except (ValueError, RecursionError):
        return None


class _Members:
    """Members of an event, decoded when they are looked at."""

    __slots__ = ("_found", "_shape")

    def __init__(self, shape: _Raw) -> None:
        self._shape = shape
        self._found: dict[str, Any] = {}

    def names(self) -> set[str]:
        """Return the names of all."""
        return set(self._shape)

    def at(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return what stands at a path; None if nothing does."""
        name, *rest = path.split(".")
        if name not in self._found:
            self._found[name] = _decode(name, self._shape.get(name))
        value = self._found[name]
        for each in rest:
            value = value.get(each) if isinstance(value, dict) else None
        return value


def _decode(name: str, raw: msgspec.Raw | None) -> Any:  # noqa: ANN401 - JSON
    if raw is None:
        return None
    try:
        if name == "Records":
            records = _DECODE_RECORDS(raw)
            return {"eventSource": records[0].eventSource} if records else None
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


def _is_of(sender: Sender, members: _Members) -> bool:
    if any(members.at(mark) in (None, "") for mark in sender.marks):
        return False
    if sender.members is not None and (members.names() - sender.members or members.at("response")):
        return False
    if sender.way is Way.TOKEN and not isinstance(members.at(sender.marks[0]), str):
        return False
    if sender.values is None:
        return True
    value = str(members.at(sender.marks[0]))
    return any(
        value.startswith(each[:-1]) if each.endswith("*") else value == each
        for each in sender.values
    )


def _headers(members: _Members) -> dict[str, str]:
    """Return a request's headers, with names in lower case; of several of one name the last."""
    found: dict[str, str] = {}
    each_of: Mapping[str, Callable[[Any], Any]] = {
        "multiValueHeaders": lambda value: value[-1] if isinstance(value, list) and value else None,
        "headers": lambda value: value,
    }
    for member, last in each_of.items():
        headers = members.at(member)
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if isinstance(text := last(value), str):
                found[name.lower()] = text
    return found


def _key(text: str) -> str:
    """Return the key that a header means: without the quotes of its standard form, and short enough.

    Source: draft-ietf-httpapi-idempotency-key-header, "Syntax": a structured field, a string in quotes.
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not text or is_name(text):
        return text
    # A client that got along with the target is not refused for its taste in keys.
    return f"sha256:{_digest(text.encode('utf-8', 'surrogatepass'))}"


def _fingerprint(method: str, shape: _Raw, members: _Members) -> str:
    """Return what two requests of one key have in common if they are one: who asks, for what, with what body.

    Gateways add ids and times to each, so that no two events are the same bytes.
    """
    parts = [
        method,
        *(bytes(shape.get(name, b"")).decode("utf-8", "replace") for name in _REQUEST),
        *(members.at(name) for name in _QUERY),
        *(_who(members.at(name)) for name in ("headers", "multiValueHeaders")),
        *(_lasting(members.at(f"requestContext.{name}")) for name in _CONTEXT),
    ]
    return f"http:{_digest(json.dumps(parts, sort_keys=True).encode())}"


def _who(headers: object) -> list[tuple[str, str]]:
    """Return the headers that say who asks, all values of each."""
    if not isinstance(headers, dict):
        return []
    names = [name for name in headers if _WHO.search(name) and name.lower() not in _KEY_HEADERS]
    return sorted((name.lower(), json.dumps(headers[name])) for name in names)


def _lasting(said: object) -> object:
    """Return what a gateway says that it would say again of another try."""
    if not isinstance(said, dict):
        return said
    return {name: value for name, value in said.items() if name not in _PASSING}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
