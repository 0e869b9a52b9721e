"""Errors as each service's protocol words them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_engine.asgi import Answer

_XML_SERVICES = {"s3", "sns", "iam", "sts", "cloudformation"}


def error_answer(
    service: str,
    status: int,
    code: str,
    message: str,
    *,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an error that the SDKs read as their service's.

    Args:
        service: Signing name, such as ``sqs``; "" where it is not known gives JSON.
        status: HTTP status.
        code: Error code.
        message: For people.
        fields: Further fields, where the answer is JSON.
        headers: Further headers.
    """
    if service in _XML_SERVICES:
        inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        error = f"<Error>{inner}</Error>"
        text = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
        kind = "application/xml"
    else:
        text = json.dumps({"__type": code, "message": message, **(fields or {})})
        # Who asks unsigned is often a person with a browser, which would save the other kind to a file.
        kind = "application/x-amz-json-1.0" if service else "application/json"
    body = text.encode()
    found = {"content-type": kind, "x-amzn-errortype": code, **(headers or {})}
    found["content-length"] = str(len(body))
    return status, [(name.encode(), value.encode()) for name, value in found.items()], body
