"""Read the line in which Lambda reports an invocation: what it took, and whether it was a cold start.

Source: Lambda Developer Guide, "Understanding Lambda log formats" (REPORT, and `platform.report` in JSON).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_REQUEST: Final = re.compile(r"\bREPORT RequestId: ([0-9A-Za-z-]+)")
_FIGURE: Final = re.compile(
    r"\b((?:[A-Z][A-Za-z]{0,15} ){0,3}[A-Z][A-Za-z]{0,15}): ([0-9.]+) (?:ms|MB)\b"
)
"""A figure and all words of its name: `Billed Restore Duration` ends as `Restore Duration` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What Lambda reports of one invocation."""

    request_id: str
    billed_ms: float
    memory_mb: int
    init_ms: float | None = None
    """Set if it was a cold start: how long the environment took to start."""


def read_report(line: str) -> Report | None:
    """Return the report of a log line, as text or as JSON; None if the line is none."""
    text = line.strip()
    try:
        return _from_json(json.loads(text)) if text.startswith("{") else _from_text(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_text(text: str) -> Report | None:
    request = _REQUEST.search(text)
    if request is None:
        return None
    figures = {name: float(value) for name, value in _FIGURE.findall(text)}
    return Report(
        request_id=request[1],
        billed_ms=figures["Billed Duration"],
        memory_mb=int(figures["Memory Size"]),
        init_ms=figures.get("Init Duration", figures.get("Restore Duration")),
    )


def _from_json(document: dict[str, Any]) -> Report | None:
    if document.get("type") != "platform.report":
        return None
    record = document["record"]
    metrics = record["metrics"]
    init_ms = metrics.get("initDurationMs", metrics.get("restoreDurationMs"))
    return Report(
        request_id=str(record["requestId"]),
        billed_ms=float(metrics["billedDurationMs"]),
        memory_mb=int(metrics["memorySizeMB"]),
        init_ms=float(init_ms) if init_ms is not None else None,
    )
