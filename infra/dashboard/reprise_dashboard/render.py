"""Write the body into the template, between two comments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from reprise_dashboard.body import body

TEMPLATE: Final = Path(__file__).parents[2] / "observability.yaml"
_BEGIN: Final = "        # Written by `make dashboard` from infra/dashboard.\n"
_END: Final = "        # End of what `make dashboard` writes.\n"
_INDENT: Final = " " * 12


def rendered() -> str:
    """Return the template's text as it should be.

    Raises:
        ValueError: If the template lacks the two comments.
    """
    text = TEMPLATE.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        msg = f"{TEMPLATE.name} must have the comments {_BEGIN.strip()!r} and {_END.strip()!r}"
        raise ValueError(msg)
    lines = "".join(f"{_INDENT}{line}\n" for line in to_text(body()).splitlines())
    return f"{head}{begin}          - |-\n{lines}{end}{tail}"


def to_text(document: dict[str, Any]) -> str:
    """Return the body as JSON, one widget a line."""
    widgets = ",\n".join(json.dumps(widget) for widget in document["widgets"])
    rest = json.dumps({key: value for key, value in document.items() if key != "widgets"})
    return f'{rest[:-1]}, "widgets": [\n{widgets}\n]}}'
