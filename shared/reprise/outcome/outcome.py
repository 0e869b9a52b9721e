"""The outcome of one invocation, as a value."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class OutcomeKind(StrEnum):
    """The classes of an invocation's end."""

    SUCCEEDED = "succeeded"
    """The target ran and returned."""
    THROTTLED = "throttled"
    """Refused for want of capacity; the target did not run."""
    TRANSIENT = "transient"
    """Failed on the way; the target did not run."""
    FUNCTION_ERROR = "function_error"
    """The target ran and failed."""
    UNKNOWN = "unknown"
    """The target may or may not have run."""
    PERMANENT = "permanent"
    """The call can never succeed as it is."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one invocation ended."""

    kind: OutcomeKind
    code: str | None = None
    """AWS error code, exception name, or the target's own error type."""
    reason: str | None = None
    """`Reason` of a throttle: function, account or caller."""
    status: int | None = None
    """HTTP status of the answer; none if there was no answer."""
    message: str | None = None
    """One line for people, at most 1,024 characters."""
    retry_after_s: float | None = None
    """The server's `Retry-After`; a floor for the next try."""
    request_id: str | None = None
    """Request id of the invocation, to find it in the target's log."""
    function_error: str | None = None
    """The `X-Amz-Function-Error` header, opaque."""
