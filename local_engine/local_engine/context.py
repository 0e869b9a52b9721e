"""What the current request carries into the work it causes.

Context variables travel with ministack's own tasks and threads, which copy the
context, so an invocation sees the headers of the request that made it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

#: ``X-Amzn-Trace-Id`` of the request being served, or "" when it had none.
TRACE_HEADER: ContextVar[str] = ContextVar("reprise_trace_header", default="")

#: JSON text of the ClientContext of the invocation being served, or "".
CLIENT_CONTEXT: ContextVar[str] = ContextVar("reprise_client_context", default="")

#: TenantId of the invocation being served, or "".
TENANT_ID: ContextVar[str] = ContextVar("reprise_tenant_id", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCall:
    """An invocation through Lambda's own API, whose bytes reach the function and come back as they are."""

    event: object
    """The payload, decoded. Whatever else the same context invokes has another one."""
    payload: bytes
    is_answered: bool
    """Whether its caller waits for the answer, and so gets the function's bytes."""


#: Body of the invocation being served.
PAYLOAD: ContextVar[bytes] = ContextVar("reprise_payload", default=b"")

#: The invocation being served, if it came through Lambda's own API.
DIRECT_CALL: ContextVar[DirectCall | None] = ContextVar("reprise_direct_call", default=None)
