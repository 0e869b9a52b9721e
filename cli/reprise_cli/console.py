"""The console that the command writes to: text of others is shown there, and never obeyed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TextIO

from rich.console import Console
from rich.segment import Segment

from reprise.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType
    from rich.text import Text

_PIPE_WIDTH: Final = 160
"""Columns where no terminal says otherwise: files and pipes cut nothing that people search for."""


class PlainConsole(Console):
    """Takes text as it is, brackets too, and shows what a terminal would obey as its escape.

    All that is written goes through `render`, so that no command can forget it; rich's own control codes
    are no text, and stay. Strings are escaped before they are measured, so that tables stay in line.
    """

    def __init__(self, file: TextIO) -> None:
        """Write to this file."""
        width = None if file.isatty() else _PIPE_WIDTH
        super().__init__(file=file, width=width, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:  # noqa: ANN401 - rich's own
        """Return a string as rich's text."""
        return super().render_str(printable(text), **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Return the segments of anything that can be shown."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)
