"""The command as the page's server has it at hand: what it would tell a terminal is told to the reader."""

from __future__ import annotations

import io
from threading import local
from typing import TYPE_CHECKING

from reprise_cli.output import Output

if TYPE_CHECKING:
    from reprise_cli.app import App


class HeardOutput(Output):
    """Keeps remarks and warnings, for each thread its own: a request is served by one."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__(is_json=True, stdout=io.StringIO(), stderr=io.StringIO())
        self._local = local()

    @property
    def _heard(self) -> list[str]:
        heard: list[str] = self._local.__dict__.setdefault("heard", [])
        return heard

    def note(self, text: str) -> None:
        """Keep a remark, unless it only says that something takes its time."""
        if not text.endswith(" ..."):
            self._heard.append(text)

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self._heard.append(text)

    def take(self) -> list[str]:
        """Return what was said since, and forget it."""
        heard = [*self._heard]
        self._heard.clear()
        return heard


def heard(reprise: App) -> tuple[App, HeardOutput]:
    """Return the same command at the same place, with an output that is heard."""
    out = HeardOutput()
    return type(reprise)(reprise.options, out, reprise.place), out
