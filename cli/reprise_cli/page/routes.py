"""Every address that is answered: files by their path, and data by the view that has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

type Asked = Mapping[str, Any]
"""What a request says: its query, or its JSON object; `id` is the rest of a path that ends in one."""
type View = Callable[[Asked], dict[str, Any]]
type Views = Mapping[str, View]
"""What shows data, or does something, by name."""

ID: Final = "id"
ABOUT: Final = "/api/about"
"""Tells which process serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An address of the API."""

    view: str
    acts: bool = False
    """Whether it may change something: then it is asked by POST, and takes the operator's token."""


ROUTES: Final[Mapping[str, Route]] = {
    ABOUT: Route(view="about"),
    "/api/place": Route(view="place"),
    "/api/dashboard": Route(view="dashboard"),
    "/api/top": Route(view="top"),
    "/api/calls": Route(view="calls"),
    "/api/calls/": Route(view="call"),
    "/api/letters": Route(view="letters"),
    "/api/letters/": Route(view="letter"),
    "/api/jobs": Route(view="jobs"),
    "/api/jobs/": Route(view="job"),
    "/api/policy": Route(view="policy"),
    "/api/runbooks": Route(view="runbooks"),
    "/api/runbooks/": Route(view="runbook"),
    "/api/policy/pause": Route(view="pause", acts=True),
    "/api/policy/resume": Route(view="resume", acts=True),
    "/api/letters/dry-run": Route(view="dry_run", acts=True),
    "/api/letters/redrive": Route(view="redrive", acts=True),
    "/api/letters/discard": Route(view="discard", acts=True),
    "/api/jobs/stop": Route(view="stop_job", acts=True),
    "/api/jobs/go-on": Route(view="resume_job", acts=True),
}
"""By path; one that ends in a slash answers what begins with it, the rest being an id."""

_WORK: Final = ("work.html", "text/html")
_SCRIPT: Final = "text/javascript"
FILES: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("index.html", "text/html"),
    "/calls": _WORK,
    "/calls/": _WORK,
    "/letters": _WORK,
    "/letters/": _WORK,
    "/jobs": _WORK,
    "/jobs/": _WORK,
    "/policy": _WORK,
    "/runbooks": _WORK,
    "/runbooks/": _WORK,
    **{f"/assets/{name}": (name, "text/css") for name in ("page.css", "work.css")},
    **{
        f"/assets/{name}.js": (f"{name}.js", _SCRIPT)
        for name in (
            *("api", "page", "chart", "format", "theme", "widgets", "live", "tiles", "range"),
            *("work", "frame", "parts", "dialog", "selection", "switch"),
            *("call", "calls", "letters", "jobs", "policy", "runbooks"),
        )
    },
    "/assets/icon.svg": ("icon.svg", "image/svg+xml"),
    "/assets/uplot.js": ("vendor/uPlot.iife.min.js", _SCRIPT),
    "/assets/uplot.css": ("vendor/uPlot.min.css", "text/css"),
}
"""File and kind by path, likewise: nothing is looked up by name."""


def find[Found](table: Mapping[str, Found], path: str) -> tuple[Found | None, str]:
    """Return what a table has for a path, and the rest of the path: an id, if the entry ends in a slash."""
    if (exact := table.get(path)) is not None and not path.endswith("/"):
        return exact, ""
    for beginning, found in table.items():
        if beginning.endswith("/") and path.startswith(beginning) and beginning != "/":
            return found, unquote(path.removeprefix(beginning))
    return table.get(path), ""
