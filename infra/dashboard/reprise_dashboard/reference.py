"""Write the tables of docs/reference that follow from the code: metrics, and the schemas of events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

from reprise import metric
from reprise.events import EVENTS

DOCS: Final = Path(__file__).parents[3] / "docs" / "reference"
_BEGIN: Final = "<!-- Written by `make dashboard`. -->\n"
_END: Final = "<!-- End of what `make dashboard` writes. -->\n"


def documents() -> dict[Path, str]:
    """Return the documents as they should be.

    Raises:
        ValueError: If one lacks the two comments.
    """
    parts = {"metrics.md": metrics_table(), "events.md": event_schemas()}
    return {DOCS / name: _put(DOCS / name, part) for name, part in parts.items()}


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


def _put(path: Path, part: str) -> str:
    text = path.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        msg = f"{path.name} must have the comments {_BEGIN.strip()!r} and {_END.strip()!r}"
        raise ValueError(msg)
    return f"{head}{begin}\n{part}\n{end}{tail}"
