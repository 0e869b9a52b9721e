"""Restore what Lambda checks and passes on at its front door.

Stock ministack takes payloads of any size and drops the ClientContext and the
TenantId, and writes the payload anew. Lambda refuses more than 6 MB (1 MB for an
event) with 413, refuses a payload that is not JSON, hands both values to the
handler's context, and passes payload and answer on byte for byte.

Source: botocore 1.44.5 lambda model, Invoke; Lambda Developer Guide, "Lambda quotas".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from local_engine.context import CLIENT_CONTEXT, DIRECT_CALL, PAYLOAD, TENANT_ID, DirectCall
from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

type Response = tuple[int, dict[str, str], bytes]

_LAMBDA_SVC = Seam("services.lambda_svc")
_INVOKE_PATH = re.compile(r"^/2015-03-31/functions/[^/]+/invocations/?$")
_ANSWERED = "RequestResponse"
_MAX_BYTES = {_ANSWERED: 6 * 1024 * 1024, "Event": 1024 * 1024}


def apply(_options: EngineOptions) -> None:
    """Check invocations before ministack sees them."""
    stock = _LAMBDA_SVC["handle_request"]

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> Any:
        if method == "POST" and _INVOKE_PATH.match(path):
            refusal = _check(headers, body)
            if refusal is not None:
                return refusal
            TENANT_ID.set(headers.get("x-amz-tenant-id", ""))
            PAYLOAD.set(body)
        else:
            PAYLOAD.set(b"")
        return await stock(method, path, headers, body, query_params)

    stock_invoke = _LAMBDA_SVC["_invoke"]

    async def invoke(name: str, event: object, headers: dict[str, str], *qualifiers: object) -> Any:
        payload = PAYLOAD.get()
        DIRECT_CALL.set(
            DirectCall(event=event, payload=payload, is_answered=_kind(headers) == _ANSWERED)
            if payload
            else None
        )
        return await stock_invoke(name, event, headers, *qualifiers)

    _LAMBDA_SVC.replace("handle_request", handle_request)
    _LAMBDA_SVC.replace("_invoke", invoke)


def _kind(headers: dict[str, str]) -> str:
    return headers.get("x-amz-invocation-type") or _ANSWERED


def _check(headers: dict[str, str], body: bytes) -> Response | None:
    """Return the refusal of an invocation, or None after keeping its context."""
    kind = _kind(headers)
    limit = _MAX_BYTES.get(kind)
    if limit is not None and len(body) > limit:
        message = (
            f"{len(body)} byte payload is too large for the {kind} invocation type "
            f"(limit {limit} bytes)"
        )
        return _error(413, "RequestTooLargeException", message)
    try:
        if body:
            # Bytes alone would let UTF-16 pass, too.
            json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
        encoded = headers.get("x-amz-client-context", "")
        context = json.dumps(json.loads(base64.b64decode(encoded))) if encoded else ""
    except (ValueError, binascii.Error) as error:
        message = f"Could not parse request body into json: {error}"
        return _error(400, "InvalidRequestContentException", message)
    CLIENT_CONTEXT.set(context)
    return None


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads and JSON does not have (RFC 8259, section 6)."""
    message = f"{name} is no JSON"
    raise ValueError(message)


def _error(status: int, code: str, message: str) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return status, headers, json.dumps({"Type": "User", "message": message}).encode()
