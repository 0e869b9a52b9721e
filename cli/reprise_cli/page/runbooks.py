"""The runbooks, as pages: from the repository, or from the package that was installed without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.dashboard.markdown import RUNBOOKS_AT, to_html
from reprise_cli.exits import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGED: Final = Path(__file__).parents[1] / "runbooks"
"""Where the wheel puts them (pyproject.toml)."""
_REPOSITORY: Final = Path(__file__).parents[3] / RUNBOOKS_AT


def runbooks(_asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return which runbooks there are."""
    found = [{"name": name, "title": _title(path)} for name, path in _paths().items()]
    return {"runbooks": sorted(found, key=lambda each: each["title"])}


def runbook(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return one runbook as HTML.

    Raises:
        NotFoundError: If there is none of this name.
    """
    name = str(asked["id"])
    path = _paths().get(name)
    if path is None:
        raise NotFoundError("runbook", f"there is no {name!r}", "Look at /runbooks")
    _, _, text = path.read_text("utf-8").partition("\n")
    return {"name": name, "title": _title(path), "html": to_html(text, RUNBOOKS_AT)}


def _paths() -> dict[str, Path]:
    folder = _PACKAGED if _PACKAGED.is_dir() else _REPOSITORY
    return {path.stem: path for path in sorted(folder.glob("*.md"))}


def _title(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
