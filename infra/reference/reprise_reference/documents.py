"""Every page, table and picture that is written by `make reference`, and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise_cli.cost.page import page as cost_page
from reprise_cli.policy.model import schema_text
from reprise_reference.cast import demo_picture
from reprise_reference.command import command_page
from reprise_reference.decisions import decisions_page
from reprise_reference.environment import environment_page
from reprise_reference.errors import errors_page
from reprise_reference.events import event_schemas, metrics_table
from reprise_reference.library import library_page
from reprise_reference.templates import ROOT, alarms_page, parameters_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DOCS: Final = ROOT / "docs"
_REFERENCE: Final = _DOCS / "reference"
_BEGIN: Final = "<!-- Written by `make reference`. -->\n"
_END: Final = "<!-- End of what `make reference` writes. -->\n"
_WHOLE: Final[dict[str, Callable[[], str]]] = {
    "alarms.md": alarms_page,
    "command.md": command_page,
    "cost.md": cost_page,
    "environment.md": environment_page,
    "errors.md": errors_page,
    "library.md": library_page,
    "parameters.md": parameters_page,
    "policy.schema.json": schema_text,
}
_PARTS: Final[dict[str, Callable[[], str]]] = {
    "events.md": event_schemas,
    "metrics.md": metrics_table,
}


def documents() -> dict[Path, str]:
    """Return the documents as they should be.

    Raises:
        ValueError: If one of which a part is written lacks the two comments.
    """
    found = {_REFERENCE / name: make() for name, make in _WHOLE.items()}
    found |= {_REFERENCE / name: _put(_REFERENCE / name, make()) for name, make in _PARTS.items()}
    found[_DOCS / "adr" / "README.md"] = decisions_page(_DOCS / "adr")
    found[_DOCS / "images" / "demo.svg"] = demo_picture((ROOT / "README.md").read_text())
    return found


def _put(path: Path, part: str) -> str:
    text = path.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        msg = f"{path.name} must have the comments {_BEGIN.strip()!r} and {_END.strip()!r}"
        raise ValueError(msg)
    return f"{head}{begin}\n{part}\n{end}{tail}"
