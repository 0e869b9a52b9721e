"""The capture line as the baselines decode it: plain pydantic, as most people would write it.

The same fields and types as ours, in pydantic's default mode, without the validators written in Python that
hold the contract (`reprise_cli.capture_schema`) to our verdicts: they would cost the baselines half of their
speed. What ours checks beyond the types, that a payload travels in one way, the baselines let pass.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel


class _Source(BaseModel):
    name: str
    version: str


class _Target(BaseModel):
    function: str
    qualifier: str | None = None
    tenant_id: str | None = None


class _ClaimCheck(BaseModel):
    bucket: str
    key: str
    version_id: str | None = None


class PlainPayload(BaseModel):
    """A payload as it travels."""

    inline: str | None = None
    gzip_base64: str | None = None
    claim_check: _ClaimCheck | None = None
    size_bytes: int
    sha256: str


class _Outcome(BaseModel):
    kind: Literal["succeeded", "throttled", "transient", "function_error", "unknown", "permanent"]
    code: str | None = None
    reason: str | None = None
    status: int | None = None
    message: str | None = None
    retry_after_s: float | None = None
    request_id: str | None = None
    function_error: str | None = None


class _Mac(BaseModel):
    key_id: str
    value: str


class Line(BaseModel):
    """A captured call."""

    reprise: Literal[1] = 1
    event: Literal["invocation.captured"] = "invocation.captured"
    level: Literal["ERROR"] = "ERROR"
    id: str
    captured_at: AwareDatetime
    source: _Source
    target: _Target
    payload: PlainPayload
    client_context: str | None = None
    outcome: _Outcome
    not_after: AwareDatetime | None = None
    trace: str | None = None
    mac: _Mac | None = None
