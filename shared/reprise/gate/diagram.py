"""Draw the states of a gate from the table of transitions, as mermaid."""

from __future__ import annotations

from reprise.gate.image import Mode
from reprise.gate.table import TRANSITIONS


def diagram() -> str:
    """Return a state diagram in mermaid's language; equal tables give equal text."""
    lines = ["stateDiagram-v2", f"    [*] --> {Mode.FLOWING.value}"]
    lines += [
        f"    {source.value} --> {target.value}: {event.value}"
        for (source, event), target in TRANSITIONS.items()
    ]
    return "\n".join(lines)
