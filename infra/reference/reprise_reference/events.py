"""The tables of metrics, and the schemas of events."""

from __future__ import annotations

import json

import msgspec

from reprise import metric
from reprise.events import EVENTS


def metrics_table() -> str:
    """Return the table of metrics."""
    lines = ["| metric | unit | dimensions | what it is |", "|---|---|---|---|"]
    for row in metric.TABLE.values():
        sets = " · ".join(", ".join(names) for names in row.dimensions)
        lines.append(f"| `{row.name}` | {row.unit} | {sets} | {row.meaning} |")
    return "\n".join(lines) + "\n"


def event_schemas() -> str:
    """Return the JSON Schema of each event's `detail`."""
    parts = []
    for event in EVENTS:
        schema = json.dumps(msgspec.json.schema(event), indent=1)
        parts.append(f"### {event.detail_type}\n\n{event.__doc__}\n\n```json\n{schema}\n```\n")
    return "\n".join(parts)
