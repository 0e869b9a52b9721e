"""Recognise which operation of which service a request asks for.

Enough of it for faults: JSON services by their target header, CBOR ones by their
path, Query ones by their Action, REST ones by a table of method and path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]+/([\w-]+)/aws4_request")
_CBOR = re.compile(r"/service/[^/]+/operation/(\w+)$")

#: boto3's names of services whose signing name differs.
SIGNING_NAMES = {"cloudwatch": "monitoring"}

_REST = {
    "lambda": [
        ("POST", r"/functions/[^/]+/invocations", "Invoke"),
        ("PUT", r"/functions/[^/]+/concurrency", "PutFunctionConcurrency"),
        ("DELETE", r"/functions/[^/]+/concurrency", "DeleteFunctionConcurrency"),
        ("GET", r"/functions/[^/]+/concurrency", "GetFunctionConcurrency"),
        ("GET", r"/functions/[^/]+/configuration", "GetFunctionConfiguration"),
        ("GET", r"/functions/[^/]+/?", "GetFunction"),
    ],
    "scheduler": [
        ("POST", r"/schedules/[^/]+", "CreateSchedule"),
        ("DELETE", r"/schedules/[^/]+", "DeleteSchedule"),
        ("GET", r"/schedules/[^/]+", "GetSchedule"),
    ],
    "s3": [
        ("GET", r"/[^/]+/.+", "GetObject"),
        ("HEAD", r"/[^/]+/.+", "HeadObject"),
        ("PUT", r"/[^/]+/.+", "PutObject"),
        ("DELETE", r"/[^/]+/.+", "DeleteObject"),
        ("GET", r"/[^/]+/?", "ListObjectsV2"),
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a request asks for; "" where it could not be told."""

    service: str
    """Signing name, such as ``sqs``."""
    name: str
    """Operation as the service's model names it, such as ``SendMessage``."""


def signing_name(headers: dict[str, str]) -> str:
    """Return the service that a request was signed for; "" where it could not be told."""
    credential = _CREDENTIAL.search(headers.get("authorization", ""))
    return credential.group(1) if credential else ""


def recognise(
    method: str, path: str, headers: dict[str, str], query: str, body: bytes
) -> Operation:
    """Return the operation of a signed request."""
    service = signing_name(headers)
    return Operation(service=service, name=_name(service, method, path, headers, query, body))


def _name(
    service: str, method: str, path: str, headers: dict[str, str], query: str, body: bytes
) -> str:
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if cbor := _CBOR.search(path):
        return cbor.group(1)
    for wanted, pattern, name in _REST.get(service, []):
        if method == wanted and re.search(f"{pattern}$", path):
            return name
    form = parse_qs(query) | parse_qs(body.decode("latin-1")) if service != "s3" else {}
    return form.get("Action", [""])[0]
