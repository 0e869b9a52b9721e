"""docs/adr/README.md: the decisions, by their titles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_HEAD: Final = """# Decisions

Written by `make reference` from the pages' titles. Each says what was decided and why, as it was said then.
"""


def decisions_page(folder: Path) -> str:
    """Return the page of a folder of decisions."""
    titles = (
        (path.name, path.read_text().partition("\n")[0]) for path in sorted(folder.glob("0*.md"))
    )
    listed = [
        f"- [{title.removeprefix('# ').replace('. ', ': ', 1)}]({name})" for name, title in titles
    ]
    return "\n".join([_HEAD, *listed, ""])
