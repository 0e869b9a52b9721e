"""Make the invoker's request from what was typed: pure rules."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

from reprise.instant import format_instant, parse_instant
from reprise_cli.duration import parse_duration
from reprise_cli.exits import UsageError


def payload_fields(payload: bytes) -> dict[str, Any]:
    """Return the request's payload field: text goes byte for byte, anything else as base64."""
    if not payload:
        return {}
    try:
        return {"Payload": payload.decode()}
    except UnicodeDecodeError:
        return {"PayloadBase64": base64.b64encode(payload).decode("ascii")}


def read_not_after(text: str, now: datetime) -> str:
    """Return the instant that `2026-01-31T12:00Z`, or a duration from now such as `10m`, means.

    Raises:
        CommandError: If it is neither.
    """
    try:
        return format_instant(now + timedelta(seconds=parse_duration(text)))
    except (ValueError, OverflowError):
        pass
    try:
        return format_instant(parse_instant(text))
    except ValueError as error:
        raise UsageError(
            "--not-after",
            f"{text!r} is neither an instant with its offset nor a duration",
            "Write 2026-01-31T12:00:00Z or 10m",
        ) from error
