"""What the current request carries into the work it causes.

Context variables travel with ministack's own tasks and threads, which copy the
context, so an invocation sees the headers of the request that made it.
"""

from __future__ import annotations

from contextvars import ContextVar

#: ``X-Amzn-Trace-Id`` of the request being served, or "" when it had none.
TRACE_HEADER: ContextVar[str] = ContextVar("reprise_trace_header", default="")

#: JSON text of the ClientContext of the invocation being served, or "".
CLIENT_CONTEXT: ContextVar[str] = ContextVar("reprise_client_context", default="")

#: TenantId of the invocation being served, or "".
TENANT_ID: ContextVar[str] = ContextVar("reprise_tenant_id", default="")
